/*
 * What clients ask for: a table of messages and texts that an input's bytes choose from.
 */
#ifndef FUZZ_POOLER_REQUESTS_H
#define FUZZ_POOLER_REQUESTS_H

#include "backends.h"

struct input {
	const uint8_t *at, *end;
};
uint8_t input_take(struct input *input); /* 0 at its end */

#define REQUEST_KINDS 20
/* Have a client send the request of this kind (below REQUEST_KINDS); its arguments are the next bytes. */
void request_send(struct client *client, uint8_t kind, struct input *input);

#endif
