/* After ProcessStartupPacket() of PostgreSQL's backend_startup.c (up to 16: postmaster.c). */
#include "wire/startup.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

#define REQUEST_BYTES 8 /* length and code */

int64_t pgm_wire_first_length(const uint8_t *bytes, size_t length)
{
	/* Decided as early as can be: "GET / HTTP" and a TLS hello say with their first byte that they are
	 * none. */
	uint8_t word[4] = {0};
	memcpy(word, bytes, length < 4 ? length : 4);
	uint32_t told = pgm_wire_get32(word);
	if (told > PGM_WIRE_STARTUP_MAX)
		return -1;
	if (length < 4)
		return 0;
	if (told < REQUEST_BYTES)
		return -1;
	return length < REQUEST_BYTES ? 0 : (int64_t)told;
}

__attribute__((format(printf, 3, 4))) static void refuse(struct pgm_first_packet *packet,
							 const char *sqlstate, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(packet->message, sizeof(packet->message), format, args);
	va_end(args);
	packet->sqlstate = sqlstate;
	packet->kind = PGM_FIRST_WRONG;
}

static bool is_prefix(const char *text, const char *word, size_t least)
{
	size_t length = strlen(text);
	return length >= least && strncasecmp(text, word, length) == 0;
}

/* As parse_bool(): 1, 0 and unique beginnings of the words. */
static bool read_bool(const char *text, bool *value)
{
	*value = is_prefix(text, "true", 1) || is_prefix(text, "yes", 1) || is_prefix(text, "on", 2) ||
		 strcmp(text, "1") == 0;
	return *value || is_prefix(text, "false", 1) || is_prefix(text, "no", 1) ||
	       is_prefix(text, "off", 2) || strcmp(text, "0") == 0;
}

static void take_replication(struct pgm_first_packet *packet, const char *value)
{
	bool wanted = true;
	if (strcmp(value, "database") != 0 && !read_bool(value, &wanted))
		refuse(packet, "22023", "invalid value for parameter \"replication\": \"%.63s\"", value);
	packet->replication = wanted ? value : NULL;
}

static void take_pair(struct pgm_first_packet *packet, const char *name, const char *value)
{
	/* What comes twice: the last counts, as in PostgreSQL. */
	if (strcmp(name, "user") == 0) {
		packet->user = value;
	} else if (strcmp(name, "database") == 0) {
		packet->database = value;
	} else if (strcmp(name, "options") == 0) {
		packet->options = value;
	} else if (strcmp(name, "replication") == 0) {
		take_replication(packet, value);
	} else if (packet->parameter_count == PGM_WIRE_PARAMETERS_MAX) {
		refuse(packet, "54000", "too many parameters in startup packet");
	} else {
		size_t at = packet->parameter_count++;
		if (strncmp(name, "_pq_.", 5) == 0) {
			struct pgm_wire_pair *first = &packet->parameters[packet->unknown_option_count];
			memmove(first + 1, first, (at - packet->unknown_option_count) * sizeof(*first));
			at = packet->unknown_option_count++;
		}
		packet->parameters[at] = (struct pgm_wire_pair){.name = name, .value = value};
	}
}

static void read_startup(struct pgm_cursor *cursor, struct pgm_first_packet *packet)
{
	if (packet->protocol >> 16 != 3) {
		refuse(packet, "0A000", "unsupported frontend protocol %u.%u: server supports 3.0 to 3.0",
		       packet->protocol >> 16, packet->protocol & 0xffff);
		return;
	}
	packet->kind = PGM_FIRST_STARTUP;
	for (;;) {
		size_t length;
		const char *name = pgm_cursor_string(cursor, &length);
		if (cursor->bad || length == 0)
			break;
		const char *value = pgm_cursor_string(cursor, NULL);
		if (cursor->bad)
			break;
		take_pair(packet, name, value);
		if (packet->kind == PGM_FIRST_WRONG)
			return;
	}
	if (cursor->bad || pgm_cursor_left(cursor) > 0) {
		refuse(packet, "08P01", "invalid startup packet layout: expected terminator as last byte");
		return;
	}
	if (!packet->user || !*packet->user) {
		refuse(packet, "28000", "no PostgreSQL user name specified in startup packet");
		return;
	}
	if (!packet->database || !*packet->database)
		packet->database = packet->user;
}

static void read_cancel(struct pgm_cursor *cursor, struct pgm_first_packet *packet)
{
	packet->kind = PGM_FIRST_CANCEL;
	packet->cancel_pid = pgm_cursor_u32(cursor);
	if (cursor->bad) {
		refuse(packet, "08P01", "invalid length of cancel request packet");
		return;
	}
	packet->cancel_key_length = pgm_cursor_left(cursor);
	packet->cancel_key = pgm_cursor_bytes(cursor, packet->cancel_key_length);
	if (packet->cancel_key_length == 0 || packet->cancel_key_length > PGM_WIRE_CANCEL_KEY_MAX)
		refuse(packet, "08P01", "invalid length of cancel key in cancel request packet");
}

void pgm_wire_read_first(const uint8_t *bytes, size_t length, struct pgm_first_packet *packet)
{
	/* The pairs, four kilobytes of them, are written before they are read. */
	memset(packet, 0, offsetof(struct pgm_first_packet, parameters));
	memset((char *)packet + offsetof(struct pgm_first_packet, parameter_count), 0,
	       sizeof(*packet) - offsetof(struct pgm_first_packet, parameter_count));
	struct pgm_cursor cursor = pgm_cursor_over(bytes, length);
	uint32_t told = pgm_cursor_u32(&cursor);
	packet->protocol = pgm_cursor_u32(&cursor);
	if (cursor.bad || told != length || length > PGM_WIRE_STARTUP_MAX) {
		refuse(packet, "08P01", "invalid length of startup packet");
		return;
	}
	switch (packet->protocol) {
	case PGM_WIRE_CODE_CANCEL:
		read_cancel(&cursor, packet);
		break;
	case PGM_WIRE_CODE_SSL:
		packet->kind = PGM_FIRST_SSL;
		break;
	case PGM_WIRE_CODE_GSSENC:
		packet->kind = PGM_FIRST_GSSENC;
		break;
	default:
		read_startup(&cursor, packet);
	}
}
