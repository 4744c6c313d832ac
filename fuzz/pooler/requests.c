#include "requests.h"

#include <stdlib.h>
#include <string.h>

#define LONG_BODY 70000

static const char *const texts[] = {
	"SELECT 1",
	"BEGIN",
	"COMMIT",
	"ROLLBACK",
	"ERR",
	"!",
	"ROWS",
	"SET work_mem TO 1",
	"SHOW work_mem",
	"SET application_name TO a",
	"SHOW application_name",
	"SET app.t TO 1",
	"SHOW app.t",
	"COPY t FROM STDIN",
	"COPY t TO STDOUT",
	"LISTEN a",
	"UNLISTEN *",
	"CREATE TEMP TABLE t()",
	"DROP TABLE t",
	"SELECT pg_advisory_lock(1)",
	"SELECT pg_advisory_unlock(1)",
	"PREPARE sqlp AS SELECT 1",
	"EXECUTE sqlp",
	"DEALLOCATE sqlp",
	"DEALLOCATE ALL",
	"DISCARD ALL",
	"SELECT nextval('s')",
	"SELECT lastval()",
	"BIG",
	"",
	"DECLARE c CURSOR WITH HOLD FOR SELECT 1",
	"CLOSE c",
	"SET ROLE r",
	"RESET ROLE",
	"RESET ALL",
	"SET work_mem TO 2",
	"RESET work_mem",
	"DEALLOCATE a",
	"SET app.t TO 2",
	"CREATE TABLE u()",
	"SET application_name TO b",
	"SHOW role",
	"deallocate prepare \"b\";",
	"SELECT 2",
};
#define TEXTS (sizeof(texts) / sizeof(*texts))
static const char *const names[] = {"", "a", "b", "PGM_1"};

uint8_t input_take(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static void send_named(struct client *client, char type, bool portal, uint8_t argument)
{
	uint8_t body[16] = {portal ? 'P' : 'S'};
	const char *name = names[argument & 3];
	memcpy(body + 1, name, strlen(name) + 1);
	client_message(client, type, body, strlen(name) + 2);
}

static void send_parse(struct client *client, uint8_t argument, uint8_t text)
{
	uint8_t body[128];
	struct pgm_writer writer = pgm_writer_over(body, sizeof(body));
	pgm_writer_string(&writer, names[argument & 3]);
	pgm_writer_string(&writer, texts[text % TEXTS]);
	pgm_writer_u16(&writer, 0);
	client_message(client, PGM_FE_PARSE, body, pgm_writer_length(&writer));
}

static void send_bind(struct client *client, uint8_t argument)
{
	uint8_t body[64];
	struct pgm_writer writer = pgm_writer_over(body, sizeof(body));
	pgm_writer_string(&writer, names[argument >> 2 & 3]);
	pgm_writer_string(&writer, names[argument & 3]);
	for (int i = 0; i < 3; i++)
		pgm_writer_u16(&writer, 0);
	client_message(client, PGM_FE_BIND, body, pgm_writer_length(&writer));
}

/* With values, NULL among them, formats of any number, and asked-for formats. */
static void send_bind_values(struct client *client, uint8_t argument, uint8_t what)
{
	static const char *const values[] = {"", "1", "a\0b", "'; --"};
	uint8_t body[256];
	struct pgm_writer writer = pgm_writer_over(body, sizeof(body));
	pgm_writer_string(&writer, names[argument >> 2 & 3]);
	pgm_writer_string(&writer, names[argument & 3]);
	pgm_writer_u16(&writer, argument >> 4 & 3);
	for (int i = argument >> 4 & 3; i > 0; i--)
		pgm_writer_u16(&writer, i & 1);
	pgm_writer_u16(&writer, argument >> 6 & 3);
	for (int i = argument >> 6 & 3; i > 0; i--, what = (uint8_t)(what >> 2 | what << 6)) {
		const char *value = values[what & 3];
		uint32_t length = (what & 3) == 2 ? 3 : (uint32_t)strlen(value);
		pgm_writer_u32(&writer, what & 12 ? length : PGM_WIRE_NO_PARAMETER);
		pgm_writer_bytes(&writer, value, what & 12 ? length : 0);
	}
	pgm_writer_u16(&writer, what & 3);
	for (int i = what & 3; i > 0; i--)
		pgm_writer_u16(&writer, 1);
	client_message(client, PGM_FE_BIND, body, pgm_writer_length(&writer));
}

static void send_parse_types(struct client *client, uint8_t argument, uint8_t text)
{
	uint8_t body[160];
	struct pgm_writer writer = pgm_writer_over(body, sizeof(body));
	pgm_writer_string(&writer, names[argument & 3]);
	pgm_writer_string(&writer, texts[text % TEXTS]);
	pgm_writer_u16(&writer, argument >> 2 & 7);
	for (uint32_t i = argument >> 2 & 7; i > 0; i--)
		pgm_writer_u32(&writer, i == 1 ? 0 : 20 + i);
	client_message(client, PGM_FE_PARSE, body, pgm_writer_length(&writer));
}

/* The pooler looks for a name of the protocol only in a DEALLOCATE that stands alone. */
static const char *one_of_several(uint8_t which)
{
	const char *text = texts[which % TEXTS];
	return strcasestr(text, "deallocate") && strcmp(text, "DEALLOCATE ALL") != 0 &&
			       strcmp(text, "DEALLOCATE sqlp") != 0
		       ? "SELECT 1"
		       : text;
}

/* Two statements, or three, in one Query; now and then in a Parse, where they may not be. */
static void send_several(struct client *client, uint8_t count, struct input *input)
{
	char body[256] = "";
	int at = count == 3 && input->at < input->end && *input->at == 255 ? 1 : 0;
	bool parses = at > 0;
	for (uint8_t i = 0; i < count; i++)
		at += snprintf(body + at, sizeof(body) - (size_t)at, "%s%s", i ? MODEL_BETWEEN : "",
			       one_of_several(input_take(input)));
	client_message(client, parses ? PGM_FE_PARSE : PGM_FE_QUERY, body, (size_t)at + (parses ? 3 : 1));
}

static void send_execute(struct client *client, uint8_t argument)
{
	uint8_t body[16];
	struct pgm_writer writer = pgm_writer_over(body, sizeof(body));
	pgm_writer_string(&writer, names[argument & 3]);
	pgm_writer_u32(&writer, argument >> 2 & 3);
	client_message(client, PGM_FE_EXECUTE, body, pgm_writer_length(&writer));
}

/* More than the pooler reads at once: a Query, Parse, Bind (of no known portal) or CopyData. */
static void send_long(struct client *client, uint8_t argument)
{
	static const char types[] = "QPBdFQPB";
	char *body = calloc(1, LONG_BODY);
	if (!body)
		abort();
	memset(body + 2, 'x', LONG_BODY - 10);
	if (types[argument & 7] == PGM_FE_QUERY)
		memset(body, 'x', LONG_BODY - 1);
	client_message(client, types[argument & 7], body, LONG_BODY);
	free(body);
}

void request_send(struct client *client, uint8_t kind, struct input *input)
{
	bool none = kind == 6 || kind == 7 || kind >= 18;
	uint8_t argument = none ? 0 : input_take(input);
	const char *text = texts[argument % TEXTS];
	switch (kind) {
	case 0:
		client_message(client, PGM_FE_QUERY, text, strlen(text) + 1);
		break;
	case 1:
		send_parse(client, argument, input_take(input));
		break;
	case 2:
		send_bind(client, argument);
		break;
	case 3:
		send_named(client, PGM_FE_DESCRIBE, argument & 4, argument);
		break;
	case 4:
		send_execute(client, argument);
		break;
	case 5:
		send_named(client, PGM_FE_CLOSE, argument & 4, argument);
		break;
	case 6:
		client_message(client, PGM_FE_SYNC, NULL, 0);
		break;
	case 7:
		client_message(client, PGM_FE_FLUSH, NULL, 0);
		break;
	case 8:
		client_message(client, PGM_FE_COPY_DATA, "1\n", 2);
		break;
	case 9:
		client_message(client, PGM_FE_COPY_DONE, NULL, 0);
		break;
	case 10:
		client_message(client, PGM_FE_COPY_FAIL, "no", 3);
		break;
	case 11:
		client_message(client, PGM_FE_FUNCTION, "\0\0\0\1\0\0\0\0\0\0", 10);
		break;
	case 12:
		client_message(client, PGM_FE_TERMINATE, NULL, 0);
		break;
	case 13:
		send_long(client, argument);
		break;
	case 16:
		send_bind_values(client, argument, input_take(input));
		break;
	case 17:
		send_parse_types(client, argument, input_take(input));
		break;
	case 18:
	case 19:
		send_several(client, kind == 18 ? 2 : 3, input);
		break;
	default: /* what an ORM sends for each statement */
		send_parse(client, kind == 14 ? 0 : argument & 3, argument >> 2);
		send_bind(client, kind == 14 ? 0 : argument & 3);
		send_named(client, PGM_FE_DESCRIBE, true, 0);
		send_execute(client, 0);
		client_message(client, PGM_FE_SYNC, NULL, 0);
	}
}
