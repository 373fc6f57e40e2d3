export declare const translate: (text: string) => string
