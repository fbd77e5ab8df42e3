/*
 * quote.c: values and names as MySQL text.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "quote.h"

static void
append_doubling(StringInfo out, const char *text, Size length, char quote)
{
	const char *end = text + length;

	enlargeStringInfo(out, (int) length + 2);
	appendStringInfoCharMacro(out, quote);
	while (text < end)
	{
		const char *next = memchr(text, quote, end - text);

		if (next == NULL)
			next = end;
		appendBinaryStringInfo(out, text, (int) (next - text));
		if (next == end)
			break;
		appendStringInfoCharMacro(out, quote);
		appendStringInfoCharMacro(out, quote);
		text = next + 1;
	}
	appendStringInfoCharMacro(out, quote);
}

void
kluster_append_identifier(StringInfo out, const char *name)
{
	append_doubling(out, name, strlen(name), '`');
}

void
kluster_append_literal(StringInfo out, const char *text, Size length)
{
	append_doubling(out, text, length, '\'');
}

void
kluster_append_bytes(StringInfo out, const char *bytes, Size length)
{
	static const char digits[] = "0123456789abcdef";

	if (length > (MaxAllocSize - 16) / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a bytea of %zu bytes does not fit into a statement for a shard", length)));
	enlargeStringInfo(out, (int) length * 2 + 3);
	appendStringInfoString(out, "X'");
	for (Size i = 0; i < length; i++)
	{
		unsigned char byte = (unsigned char) bytes[i];

		appendStringInfoCharMacro(out, digits[byte >> 4]);
		appendStringInfoCharMacro(out, digits[byte & 15]);
	}
	appendStringInfoCharMacro(out, '\'');
}
