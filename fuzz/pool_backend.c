/*
 * The pooler before servers that lie: they say what nobody asked for, answer with other messages, cut them
 * short, or never say a word, from their very first byte on. The first byte chooses how it is set up, then
 * each byte is something that one of two honest clients asks, something that a server says (one of a table,
 * or any bytes), or an event. Whatever comes, the pooler neither crashes nor runs for ever, a client gets
 * whole messages only, one whose servers were honest gets their very answers, and at the end nothing is left.
 */
#include "pooler/requests.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAW	 40 /* from here on: so many bytes as they are */
#define RAW_LONG 63

#define LIE(text) text, sizeof(text) - 1
static const struct {
	char type;
	const char *body;
	size_t length;
} lies[] = {
	{'1', LIE("")},
	{'2', LIE("")},
	{'3', LIE("")},
	{'n', LIE("")},
	{'s', LIE("")},
	{'I', LIE("")},
	{'t', LIE("\0\0")},
	{'T', LIE("\0\1c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0")},
	{'D', LIE("\0\1\0\0\0\4evil")},
	{'D', LIE("\0\3\0\0\0\1g\0\0\0\10work_mem\0\0\0\1")},
	{'D', LIE("\0\3\0\0\0\1g\0\0\0\5app.t\0\0\0\1x")},
	{'D', LIE("\0\3\0\0\0\1t\0\0\0\0\0\0\0\0")},
	{'D', LIE("\0\3\0\0\0\1g\xff\xff\xff\xff\x7f\xff\xff\xff")},
	{'C', LIE("SELECT 1\0")},
	{'C', LIE("DISCARD ALL\0")},
	{'C', LIE("DEALLOCATE ALL\0")},
	{'C', LIE("COPY 18446744073709551616\0")},
	{'C', LIE("no end")},
	{'Z', LIE("I")},
	{'Z', LIE("T")},
	{'Z', LIE("E")},
	{'Z', LIE("?")},
	{'Z', LIE("")},
	{'E', LIE("SERROR\0VERROR\0C22012\0Mno\0\0")},
	{'E', LIE("SERROR\0VERROR\0C0A000\0Mcached plan must not change result type\0\0")},
	{'E', LIE("SFATAL\0VFATAL\0C57P01\0Mbye\0\0")},
	{'E', LIE("SERROR\0C26000\0Mprepared statement \"PGM_1\" does not exist\0\0")},
	{'E', LIE("SFATAL\0C28P01\0Mpassword\0\0")},
	{'E', LIE("\0")},
	{'E', LIE("S")},
	{'N', LIE("SNOTICE\0C00000\0Mhm\0\0")},
	{'A', LIE("\0\0\0\1a\0b\0")},
	{'S', LIE("application_name\0x\0")},
	{'S', LIE("standard_conforming_strings\0off\0")},
	{'S', LIE("client_encoding\0SJIS\0")},
	{'S', LIE("no end")},
	{'G', LIE("\0\0\0")},
	{'H', LIE("\0\0\0")},
	{'W', LIE("\0\0\0")},
	{'d', LIE("row")},
	{'c', LIE("")},
	{'V', LIE("\xff\xff\xff\xff")},
	{'K', LIE("\0\0\4\0\1\2\3\4")},
	{'K', LIE("")},
	{'v', LIE("\0\3\0\0\0\0\0\0")},
	{'R', LIE("\0\0\0\0")},
	{'R', LIE("\0\0\0\3")},
	{'R', LIE("\0\0\0\5salt")},
	{'R', LIE("\0\0\0\12SCRAM-SHA-256\0\0")},
	{'R', LIE("\0\0\0\13r=x,s=QSXCR+Q6sek8bf92,i=1")},
	{'R', LIE("\0\0\0\14v=AAAA")},
	{'R', LIE("\0\0\0\7")},
	{'?', LIE("")},
};
#define LIES (sizeof(lies) / sizeof(*lies))

static void lie(struct backend *backend, const void *bytes, size_t length)
{
	if (!backend)
		return;
	backend->model.doubted = true;
	harness_append(&backend->extra, bytes, length);
}

static void lie_message(struct backend *backend, uint8_t which)
{
	uint8_t header[PGM_WIRE_HEADER_BYTES] = {(uint8_t)lies[which % LIES].type};
	pgm_wire_put32(header + 1, (uint32_t)lies[which % LIES].length + 4);
	lie(backend, header, sizeof(header));
	lie(backend, lies[which % LIES].body, lies[which % LIES].length);
}

/* A message whose header says more, or less, than there is; or one that is long. */
static void lie_length(struct backend *backend, uint8_t which)
{
	static const char types[] = "DdTtCZEN1SRVAGHW";
	static const uint32_t lengths[] = {0, 3, 5, 200, 65536, 0x3fffffff, 0x40000000, 0xffffffff};
	uint8_t header[PGM_WIRE_HEADER_BYTES] = {(uint8_t)types[which & 15]};
	pgm_wire_put32(header + 1, lengths[which >> 4 & 7]);
	lie(backend, header, sizeof(header));
	if (which >> 4 != 4 && which >> 4 != 12)
		return;
	uint8_t *body = calloc(1, 66000);
	if (!body)
		abort();
	lie(backend, body, which & 128 ? 65532 : 66000);
	free(body);
}

/* What the model has said and not sent yet, with one byte changed or the rest missing. */
static void spoil(struct backend *backend, uint8_t at, uint8_t how)
{
	if (!backend)
		return;
	struct harness_bytes *out = &backend->model.out;
	backend->model.holds_back = true;
	settle();
	backend->model.holds_back = false;
	bool moved = false;
	if (!harness_read(backend->fd, &backend->model.in, &moved))
		return;
	model_run(&backend->model);
	backend->model.doubted = true;
	if (at < out->length && how)
		out->at[at] ^= how;
	else if (at < out->length)
		out->length = at;
}

static void happen(struct client *client, uint8_t kind, struct input *input)
{
	uint8_t argument = input_take(input);
	struct backend *backend = backend_at(argument);
	switch (kind) {
	case 20:
		client_close(client);
		client_open(client, argument);
		break;
	case 21:
		lie_message(backend_at(argument & 1), input_take(input));
		break;
	case 22:
		lie_length(backend_at(0), argument);
		break;
	case 23:
		lie_length(backend_at(1), argument);
		break;
	case 24:
		if (backend) {
			backend->muted = !backend->muted;
			backend->model.doubted = true;
		}
		break;
	case 25:
		if (backend)
			backend->model.holds_back = !backend->model.holds_back;
		break;
	case 26:
		harness_advance_us((uint64_t)argument * argument * 5000);
		break;
	case 27:
		client_cancel(client);
		break;
	case 28:
		client->stalled = !client->stalled;
		break;
	case 29:
		turn();
		break;
	case 30:
		if (backend)
			backend_close(backend);
		break;
	case 31:
		backends_begin_muted = !backends_begin_muted;
		break;
	case 32:
		spoil(backend, input_take(input), input_take(input));
		break;
	case 33:
		lie_message(backend_at(0), argument);
		break;
	case 34:
		lie_message(backend_at(1), argument);
		break;
	case 35:
		harness_memory_short(argument & 63, argument & 64 ? 1 + (argument >> 7) * 4 : 1);
		break;
	case 36: /* sends a few bytes at a time */
		client->trickle = argument & 15;
		break;
	case 37:
		if (backend)
			backend->trickle = argument >> 4;
		break;
	default:
		settle();
	}
}

static void act(struct input *input)
{
	uint8_t what = input_take(input), kind = what & 63;
	if (kind < REQUEST_KINDS) {
		request_send(&clients[what >> 7], kind, input);
	} else if (kind < RAW) {
		happen(&clients[what >> 7], kind, input);
	} else {
		size_t length = kind - RAW + 1u;
		if (kind == RAW_LONG)
			length = (size_t)input_take(input) << 8 | input_take(input);
		if (length > (size_t)(input->end - input->at))
			length = (size_t)(input->end - input->at);
		lie(backend_at(what >> 7), input->at, length);
		input->at += length;
	}
	if (what & 64)
		settle();
}

/* Whole messages of types that there are; the last may have been cut by its connection's end. */
static void check_messages(const struct client *client)
{
	if (!client->got.length)
		return;
	const uint8_t *at = client->got.at, *end = at + client->got.length;
	while (end - at >= PGM_WIRE_HEADER_BYTES) {
		uint32_t length = pgm_wire_get32(at + 1);
		if (!memchr("RSKZEN123CDdTtInsAGHWcVv", at[0], 24) || length < 4 ||
		    length > PGM_WIRE_MESSAGE_MAX) {
			fprintf(stderr, "a client got a message of type %d, %u bytes\n", at[0], length);
			abort();
		}
		if ((size_t)(end - at) < (size_t)length + 1)
			return;
		at += (size_t)length + 1;
	}
}

static void finish(void)
{
	harness_memory_enough();
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		clients[i].stalled = false;
	settle();
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (clients[i].fd < 0)
			continue;
		check_messages(&clients[i]);
		if (!clients[i].misled)
			client_check(&clients[i], true);
		client_close(&clients[i]);
		settle();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	uint8_t choice = input_take(&input);
	backends_init();
	harness_begin(&(struct harness_options){.mode = (choice & 0xc0) == 0xc0 ? PGM_POOL_SESSION
										: PGM_POOL_TRANSACTION,
						.pool_size = choice & 1 ? 2 : 1,
						.strict = choice & 2,
						.max_prepared_statements = choice & 4 ? 2 : 0,
						.password = choice & 16 ? "pencil" : NULL});
	backends_begin_muted = choice & 32;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		client_open(&clients[i], 0);
	if (choice & 8)
		settle();
	while (input.at < input.end)
		act(&input);
	finish();
	backends_done();
	harness_end();
	return 0;
}
