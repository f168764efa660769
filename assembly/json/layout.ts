/*
 * The tape: how a compiled writer in JavaScript tells the WASM writer what to write, many values in one call. It lies in the
 * scratch memory of one thread. Compiled twice, like ../layout.ts: plain constant arithmetic only.
 *
 *   0 ┌────────────┐
 *     │ work       │  numbers that end near a limit are formed here
 *     ├────────────┤  TAPE_TOKENS_OFFSET
 *     │ tokens     │  32-bit words: fragment address | kind, then the operand of the kind
 *     ├────────────┤  TAPE_NUMBERS_OFFSET
 *     │ numbers    │  64-bit floats, in the order of the tokens
 *     ├────────────┤  TAPE_CHARS_OFFSET
 *     │ chars      │  the first strings and short ones
 *     ├────────────┤  TAPE_TEXT_OFFSET
 *     │ text       │  all other strings, UTF-8, contiguous
 *     └────────────┘
 *
 * A fragment is constant text (keys and punctuation) that is written before the token's value. Its address is a multiple
 * of 16, so that the kind fits below it; 0 means no fragment.
 */
export const TAPE_WORK_BYTES = 128;
export const TAPE_TOKENS_OFFSET = TAPE_WORK_BYTES;
/** In words. A writer flushes once it has used TAPE_GUARD of them, and checks at least every TAPE_TOKENS − TAPE_GUARD. */
export const TAPE_TOKENS = 2048;
export const TAPE_GUARD = 1536;
export const TAPE_NUMBERS_OFFSET = TAPE_TOKENS_OFFSET + TAPE_TOKENS * 4;
/** Half of them are for arrays, and one for every token. */
export const TAPE_NUMBERS = 2 * TAPE_TOKENS;
export const TAPE_ARRAY_NUMBERS = TAPE_TOKENS;
export const TAPE_CHARS_OFFSET = TAPE_NUMBERS_OFFSET + TAPE_NUMBERS * 8;
/** Maximum length of strings that a writer copies char by char. */
export const TAPE_SHORT_CHARS = 12;
/** The same while text is pending. */
export const TAPE_TINY_CHARS = 4;
/** Longer strings are written directly to their destination, if no text is pending. */
export const TAPE_DIRECT_UNITS = 256;
/** Number of strings after each flush that are written separately: joining pays from four strings on. */
export const TAPE_WRITES = 3;
/** A string takes two words of the tape, and a UTF-16 unit at most three bytes; SIMD reads up to 31 bytes past the last. */
export const TAPE_CHARS_BYTES = (TAPE_TOKENS / 2) * TAPE_SHORT_CHARS + TAPE_WRITES * TAPE_DIRECT_UNITS * 3 + 32;
export const TAPE_TEXT_OFFSET = TAPE_CHARS_OFFSET + TAPE_CHARS_BYTES;
/** In UTF-16 units: text is flushed once it is longer than TAPE_LONG_UNITS, and longer strings do not go on the tape. */
export const TAPE_TEXT_UNITS = 16384;
export const TAPE_LONG_UNITS = TAPE_TEXT_UNITS / 2;
/** A UTF-16 unit is at most three bytes of UTF-8; SIMD reads up to 31 bytes past the last. */
export const TAPE_TEXT_BYTES = TAPE_TEXT_UNITS * 3 + 32;
export const TAPE_BYTES = TAPE_TEXT_OFFSET + TAPE_TEXT_BYTES;

/** Kinds: what follows the fragment. Nothing. */
export const TOKEN_NOTHING = 0;
/** The next word, a 32-bit integer. */
export const TOKEN_INT32 = 1;
/** The next number. */
export const TOKEN_NUMBER = 2;
/** A JSON string of the next UTF-16 units of the text; the next word is their number. */
export const TOKEN_TEXT = 3;
/** A JSON string of the next bytes of the chars; the next word is their number. */
export const TOKEN_CHARS = 4;
/** As much of the text, in UTF-16 units, as the next word says, as it is. */
export const TOKEN_RAW = 5;
export const TOKEN_TRUE = 6;
export const TOKEN_FALSE = 7;
export const TOKEN_NULL = 8;
/** As many 32-bit integers as the next word says, which follow, separated by commas. */
export const TOKEN_INT32S = 9;
/** As many numbers as the next word says, separated by commas. */
export const TOKEN_NUMBERS = 10;
export const TOKEN_KIND_MASK = 15;

/** A fragment: its size in a 32-bit word, then its bytes, then room for a SIMD read past them. */
export const FRAGMENT_TEXT_OFFSET = 4;
export const FRAGMENT_PADDING_BYTES = 16;
export const FRAGMENT_ALIGNMENT_BYTES = 16;

/** Returned by jsonRun instead of a position: a string begins or ends inside a surrogate pair of the text. */
export const TAPE_SPLIT_PAIR = 1;
