/*
 * The first packet of a connection: a startup message, a cancel request, or a request for encryption.
 */
#ifndef PGM_WIRE_STARTUP_H
#define PGM_WIRE_STARTUP_H

#include "wire/wire.h"

#define PGM_WIRE_PARAMETERS_MAX 256 /* pairs in one startup packet */
#define PGM_WIRE_CANCEL_KEY_MAX 256 /* bytes: protocol 3.2 */

enum pgm_first_kind {
	PGM_FIRST_STARTUP,
	PGM_FIRST_CANCEL,
	PGM_FIRST_SSL,
	PGM_FIRST_GSSENC,
	PGM_FIRST_WRONG, /* sqlstate and message say why, in PostgreSQL's words */
};

struct pgm_wire_pair {
	const char *name;
	const char *value;
};

/* Points into the bytes of the packet. */
struct pgm_first_packet {
	enum pgm_first_kind kind;
	uint32_t protocol; /* of a startup packet: 3.0 or a newer 3.x as the client asked */
	struct pgm_wire_pair
		parameters[PGM_WIRE_PARAMETERS_MAX]; /* without user, database, options, replication */
	size_t parameter_count;
	size_t unknown_option_count; /* _pq_.* among the parameters, put first: for NegotiateProtocolVersion
				      */
	const char *user;	     /* never NULL or "" in a startup packet */
	const char *database;	     /* the user where none was given */
	const char *options;	     /* NULL where none */
	const char *replication;     /* "database", or a word for true; NULL where none */
	uint32_t cancel_pid;
	const uint8_t *cancel_key;
	size_t cancel_key_length;
	const char *sqlstate; /* of a packet that is wrong */
	char message[160];
};

/*
 * How long the packet is that begins with these bytes, its length word included. 0: fewer than 8 bytes are
 * there, wait. -1: it is longer than PGM_WIRE_STARTUP_MAX or shorter than 8, or it is no packet (HTTP, a TLS
 * hello), which one byte can tell: close the connection.
 */
int64_t pgm_wire_first_length(const uint8_t *bytes, size_t length);

/* Take a whole packet apart. */
void pgm_wire_read_first(const uint8_t *bytes, size_t length, struct pgm_first_packet *packet);

/*
 * The settings of an options string ("-c work_mem=64kB --search_path=a\ b -e"), as PostgreSQL reads it
 * (pg_split_opts and process_postgres_switches): calls each for each, in order. False where a switch is none
 * that a client may set, with *wrong the argument (in scratch; the options where they do not fit there, and
 * strlen(options) + 1 bytes always do), or where each says so, with *wrong NULL. Switches that PostgreSQL
 * refuses only as settings (-F is fsync) come to each as settings.
 */
bool pgm_wire_read_options(const char *options, char *scratch, size_t scratch_size,
			   bool (*each)(void *data, const char *name, const char *value), void *data,
			   const char **wrong);

#endif
