/* What header fields are made of. */

/** A field's name (RFC 9110 section 5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** What is not in a field value (RFC 9110 section 5.5): control characters but the tab, and what Latin-1 has not. */
export const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
