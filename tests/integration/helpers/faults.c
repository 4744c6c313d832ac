/*
 * System calls that fail, for test_pool_faults.py, to be preloaded: while the file that PGMT_FAULTS names is
 * there, one in so many calls as it says does nothing and fails in a way that the kernel might.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static _Atomic uint64_t calls;

/* One in so many; 0: none. Read anew every now and then, for the file comes and goes. */
static unsigned rate(uint64_t call)
{
	static _Atomic unsigned known;
	char text[16] = "";
	if (call % 64 != 0)
		return atomic_load(&known);
	int saved = errno, fd = open(getenv("PGMT_FAULTS"), O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	errno = saved;
	atomic_store(&known, (unsigned)strtoul(text, NULL, 10));
	return atomic_load(&known);
}

/* Whether this one fails: then errno says how. */
static int fails(int error)
{
	uint64_t call = atomic_fetch_add(&calls, 1), mixed = call * UINT64_C(0x9e3779b97f4a7c15);
	unsigned one_in = rate(call);
	if (!one_in || (mixed >> 32) % one_in != 0)
		return 0;
	errno = error;
	return 1;
}

#define REAL(name) ((__typeof__(&name))(intptr_t)dlsym(RTLD_NEXT, #name))

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	return fails(ECONNRESET) ? -1 : REAL(recv)(fd, bytes, size, flags);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	return fails(EPIPE) ? -1 : REAL(send)(fd, bytes, length, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	return fails(ECONNRESET) ? -1 : REAL(sendmsg)(fd, message, flags);
}

int socket(int domain, int type, int protocol)
{
	return fails(EMFILE) ? -1 : REAL(socket)(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	return fails(ECONNREFUSED) ? -1 : REAL(connect)(fd, address, length);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	return fails(ENOBUFS) ? -1 : REAL(accept4)(fd, address, length, flags);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
	return what == EPOLL_CTL_ADD && fails(ENOSPC) ? -1 : REAL(epoll_ctl)(epoll, what, fd, event);
}
