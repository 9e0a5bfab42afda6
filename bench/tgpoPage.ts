export function writePage(_r: unknown): void {}
