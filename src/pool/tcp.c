#include "pool/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static void set(int fd, int level, int option, int64_t value)
{
	int number = value > INT32_MAX ? INT32_MAX : (int)value;
	if (value > 0)
		(void)setsockopt(fd, level, option, &number, sizeof(number));
}

void pgm_tcp_tune(int fd, const struct pgm_pool_config *config)
{
	set(fd, SOL_SOCKET, SO_SNDBUF, config->tcp_socket_buffer_bytes);
	set(fd, SOL_SOCKET, SO_RCVBUF, config->tcp_socket_buffer_bytes);
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, config->tcp_user_timeout_ms);
	if (!config->tcp_keepalive)
		return;
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, config->tcp_keepcnt);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, config->tcp_keepidle);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, config->tcp_keepintvl);
}
