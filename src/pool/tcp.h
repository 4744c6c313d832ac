/*
 * The tcp_* settings, for a connection with a client or a server. What the system refuses is left as it is.
 */
#ifndef PGM_POOL_TCP_H
#define PGM_POOL_TCP_H

#include "pool/config/config.h"

void pgm_tcp_tune(int fd, const struct pgm_pool_config *config); /* of TCP */

#endif
