/*
 * What the files that read a configuration share, and serve/config/, whose sections are in the same file.
 * Nobody else includes this.
 *
 * A text is read whole into memory of its own and wiped when it has been read: it may hold passwords.
 * Messages never hold a value of a line in which a password could stand.
 */
#ifndef PGM_POOL_CONFIG_PARTS_H
#define PGM_POOL_CONFIG_PARTS_H

#include "pool/config/config.h"
#include "util/hash.h"
#include "util/vec.h"

#define PGM_CONFIG_FILE_BYTES_MAX     ((size_t)4 << 20)	 /* an ini, HBA or ident file */
#define PGM_CONFIG_USERLIST_BYTES_MAX ((size_t)64 << 20) /* some 500,000 users */
#define PGM_CONFIG_INCLUDE_DEPTH_MAX  10		 /* as PgBouncer's */
#define PGM_CONFIG_FILES_MAX	      100
#define PGM_CONFIG_NAME_MAX	      63  /* of a database */
#define PGM_CONFIG_USER_MAX	      127 /* as PgBouncer's */
#define PGM_CONFIG_SECRET_MAX	      65530

/* A file in memory. path is in the problems' arena and outlives the text. */
struct pgm_config_text {
	const char *path;
	char *bytes; /* malloc'ed; a NUL follows */
	size_t length;
	uint64_t device, inode; /* 0, 0: no file */
	unsigned mode;		/* permission bits */
};

/*
 * Read it; false with a problem where that fails, or where there is a NUL or a byte order mark in it.
 * from and line say who asks, for "missing file"; from NULL: the file itself.
 */
bool pgm_config_text_read(struct pgm_config_text *text, const char *path, size_t bytes_max, const char *from,
			  int line, int column, struct pgm_config_problems *problems);
bool pgm_config_text_check(const struct pgm_config_text *text, struct pgm_config_problems *problems);
void pgm_config_text_wipe(struct pgm_config_text *text);

/* A warning where others than the owner can read (a file with passwords) or change it. */
void pgm_config_text_judge_mode(const struct pgm_config_text *text, bool holds_secrets,
				struct pgm_config_problems *problems);

/* A place in a text. */
struct pgm_config_place {
	const char *file;
	int line, column;
};

void pgm_config_error(struct pgm_config_problems *problems, struct pgm_config_place place, const char *hint,
		      const char *format, ...) __attribute__((format(printf, 4, 5)));
void pgm_config_warning(struct pgm_config_problems *problems, struct pgm_config_place place, const char *hint,
			const char *format, ...) __attribute__((format(printf, 4, 5)));
/* 'Did you mean "x"?', or NULL. */
const char *pgm_config_did_you_mean(struct pgm_config_problems *problems, const char *typed,
				    const char *const *names, size_t count);

/*
 * Who takes the lines of pgmend serve's sections ([serve], [watch], [alerts], [chores]). value is copied by
 * who wants to keep it; holds_secrets is set where a password is in it.
 */
struct pgm_config_others {
	void *data;
	void (*line)(void *data, const char *section, const char *key, const char *value,
		     struct pgm_config_place key_place, struct pgm_config_place value_place,
		     bool *holds_secrets);
};

/*
 * pgm_pool_config_read() of a file with such sections. *has_pool: one of the pooler's own is in it; where
 * none is, what is returned pools nothing and was not checked.
 */
struct pgm_pool_config *pgm_pool_config_read_with(const char *path, const struct pgm_config_others *others,
						  bool *has_pool, struct pgm_config_problems *problems);

/* What one reading knows. */
struct pgm_config_reader {
	struct pgm_pool_config *config;
	struct pgm_config_problems *problems;
	bool may_include; /* false for texts that come from nowhere (tests) */
	int section;	  /* of enum in config_read.c */
	int files;
	bool holds_secrets;			/* of the file being read */
	bool again;				/* the key was set in another file before */
	bool has_pgbouncer, has_pool;		/* the section; any of the pooler's */
	const struct pgm_config_others *others; /* NULL: their sections are passed over */
	struct pgm_map seen;			/* "section/key" -> struct pgm_config_place, for duplicates */
	PGM_VEC(struct pgm_config_database) databases;
	PGM_VEC(struct pgm_config_user) users;
	PGM_VEC(struct pgm_config_peer) peers;
};

/* One key of [databases], [users], [peers]: value is NUL-terminated and changed in place. */
void pgm_config_read_database(struct pgm_config_reader *reader, const char *name, char *value,
			      struct pgm_config_place key_place, struct pgm_config_place value_place);
void pgm_config_read_user(struct pgm_config_reader *reader, const char *name, char *value,
			  struct pgm_config_place key_place, struct pgm_config_place value_place);
void pgm_config_read_peer(struct pgm_config_reader *reader, const char *name, char *value,
			  struct pgm_config_place key_place, struct pgm_config_place value_place);

/* The ini text itself (and what it includes); sections go on across texts. */
void pgm_config_read_ini(struct pgm_config_reader *reader, struct pgm_config_text *text);
void pgm_config_reader_init(struct pgm_config_reader *reader, struct pgm_pool_config *config,
			    struct pgm_config_problems *problems);
/* Move what was read into the configuration. */
void pgm_config_reader_finish(struct pgm_config_reader *reader);

/* userlist.txt into config->secrets. */
void pgm_config_read_userlist(struct pgm_pool_config *config, const struct pgm_config_text *text,
			      struct pgm_config_problems *problems);
/* auth_file, auth_hba_file and auth_ident_file, as the settings say. */
void pgm_config_read_auth_files(struct pgm_pool_config *config, struct pgm_config_problems *problems);

/* What is wrong between settings. */
void pgm_config_check(const struct pgm_pool_config *config, struct pgm_config_problems *problems);

#endif
