export declare const lines: Readonly<Record<string, string>>
