/*
 * What the process that looks sends to the one that loads. Inside watch*.c only. Messages are packets of one
 * program to itself, so they are structs as they are.
 */
#ifndef PGM_LOAD_WATCH_PARTS_H
#define PGM_LOAD_WATCH_PARTS_H

#include "load/watch.h"

#define PGM_WATCH_WAITS_MAX   24 /* kinds of waits in one look; the rest is left out */
#define PGM_WATCH_TABLES_MAX  200
#define PGM_WATCH_INDEXES_MAX 400
#define PGM_WATCH_NAME_BYTES  64

enum pgm_watch_kind {
	PGM_WATCH_HELLO, /* once, first */
	PGM_WATCH_LOOK,
	PGM_WATCH_TABLE, /* at the end */
	PGM_WATCH_INDEX,
	PGM_WATCH_END, /* nothing follows */
};

struct pgm_watch_hello {
	char version[32], pooler[96], problem[512];
	int max_connections;
};

struct pgm_watch_wait {
	char type[24], event[64];
	double backends;
};

struct pgm_watch_look {
	struct pgm_load_sample sample; /* without its waits */
	struct pgm_watch_wait waits[PGM_WATCH_WAITS_MAX];
	size_t wait_count;
	uint32_t hidden; /* sessions whose state its user may not see */
};

struct pgm_watch_relation {
	char schema[PGM_WATCH_NAME_BYTES], table[PGM_WATCH_NAME_BYTES], index[PGM_WATCH_NAME_BYTES];
	struct pgm_load_table as_table;
	struct pgm_load_index as_index;
};

struct pgm_watch_message {
	enum pgm_watch_kind kind;
	double at_ms; /* of pgm_clock_ms() */
	union {
		struct pgm_watch_hello hello;
		struct pgm_watch_look look;
		struct pgm_watch_relation relation;
	};
};

/* This machine's processors, as far as the kernel tells. Of watch_machine.c. */
struct pgm_watch_machine {
	unsigned long long busy, all; /* ticks of all cores, since boot */
	unsigned long long server;    /* ticks of the server's processes, ended ones too */
	bool has_server;
};

/* backend_pid: a process of a server; 0: none is known. False where the kernel tells nothing. */
bool pgm_watch_machine_read(int backend_pid, struct pgm_watch_machine *machine);

/* Whether that process is one of this machine's, and PostgreSQL's. */
bool pgm_watch_is_local(int backend_pid);

/* The whole life of the process that looks; a byte, or the end, of the socket asks for its last look. */
void pgm_watch_run(const struct pgm_load_watch_options *options, int fd);

#endif
