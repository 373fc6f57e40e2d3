export declare const unstable: Readonly<Record<string, string>>
