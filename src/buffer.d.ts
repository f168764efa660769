/*
 * Methods that every Buffer of every supported version has and @types/node leaves out: strings without the dispatch over
 * encodings. bench/ shows what they save.
 */
declare interface Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number, length: number): number;
  utf8Write(text: string, offset: number, length: number): number;
}
