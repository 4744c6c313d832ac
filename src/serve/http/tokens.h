/*
 * Bearer tokens. The file holds lines of name:role:sha256[:expires], where the hash is of the token as it is
 * sent and expires is a day ("2026-12-31", its end in UTC). A token has 256 random bits, so one round of
 * SHA-256 is enough; what the file says is of no use to log in.
 *
 * Any thread: the set has a lock of its own.
 */
#ifndef PGM_SERVE_TOKENS_H
#define PGM_SERVE_TOKENS_H

#include "serve/http/http.h"

#define PGM_TOKEN_SIZE	   48 /* of the text, with its NUL */
#define PGM_TOKEN_NAME_MAX 63
#define PGM_TOKENS_MAX	   1000

struct pgm_tokens;

/* Empty. */
struct pgm_tokens *pgm_tokens_new(void);
void pgm_tokens_free(struct pgm_tokens *tokens); /* NULL is fine */

/* Those of the file in the place of all before; where it has an error they stay. PGM_ERR_INPUT. */
bool pgm_tokens_replace(struct pgm_tokens *tokens, const char *path, struct pgm_error *err) PGM_MUST_CHECK;

/* One token of that name that is in no file. */
bool pgm_tokens_invent(struct pgm_tokens *tokens, const char *name, enum pgm_role role,
		       char token[static PGM_TOKEN_SIZE], struct pgm_error *err) PGM_MUST_CHECK;

/* Make one and add its line to the file, which is created with mode 0600. days 0: it does not expire. */
bool pgm_tokens_add(const char *path, const char *name, enum pgm_role role, int64_t days,
		    char token[static PGM_TOKEN_SIZE], struct pgm_error *err) PGM_MUST_CHECK;

/* Whose token it is. All are compared, each in constant time. False: nobody's, or it has expired. */
bool pgm_tokens_find(struct pgm_tokens *tokens, const char *token, char name[static PGM_TOKEN_NAME_MAX + 1],
		     enum pgm_role *role);

#endif
