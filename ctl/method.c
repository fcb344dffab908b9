/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/method.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/openflow.h"
#include "datapath/table.h"
#include "lib/options.h"

static int parse_port(const char *text, uint16_t *port, struct refusal *r)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > UINT16_MAX)
		return refuse(r, BAD_VALUE, "port", "port `%s'; 1 to 65535 would be accepted",
			      text);
	*port = (uint16_t)n;
	return 0;
}

static void set_address(struct method *m, const struct ip *ip, uint16_t port)
{
	if (ip->family == 4) {
		struct sockaddr_in *in = (void *)&m->address;

		in->sin_family = AF_INET;
		in->sin_port = htobe16(port);
		in->sin_addr.s_addr = ip_as_v4(ip);
		m->size = sizeof *in;
	} else {
		struct sockaddr_in6 *in6 = (void *)&m->address;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htobe16(port);
		memcpy(&in6->sin6_addr, ip->octet, 16);
		m->size = sizeof *in6;
	}
}

/* An address, in brackets or not (IPv6 needs them when a port follows); *rest is behind it. */
static int parse_address(char *text, struct ip *ip, char **rest, struct refusal *r)
{
	char *begin = text, *end;

	if (*text == '[') {
		begin++;
		end = strchr(begin, ']');
		if (end)
			*end++ = '\0';
		if (end && *end && *end != ':')
			end = NULL;
	} else {
		end = strchr(text, ':');
		if (end && strchr(end + 1, ':')) /* IPv6 without brackets and port */
			end = begin + strlen(begin);
		else if (!end)
			end = begin + strlen(begin);
	}
	*rest = end && *end ? end + 1 : NULL;
	if (end && *end)
		*end = '\0';
	if (!end || !ip_parse(begin, ip))
		return refuse(r, BAD_VALUE, "address",
			      "`%s' is no address; IPv4, or IPv6 in brackets, would be accepted",
			      begin);
	return 0;
}

int method_parse_address(char *text, uint16_t port, struct method *m, struct refusal *r)
{
	char *rest;
	struct ip ip;
	int error = parse_address(text, &ip, &rest, r);

	if (!error && rest)
		error = parse_port(rest, &port, r);
	if (!error)
		set_address(m, &ip, port);
	return error;
}

static int parse_listener(char *text, struct method *m, struct refusal *r)
{
	struct ip ip = ip_v4(htobe32(m->tls ? INADDR_ANY : INADDR_LOOPBACK));
	uint16_t port = OFP_TCP_PORT;
	char *address = strchr(text, ':'), *rest = NULL;
	int error = 0;

	if (address)
		*address++ = '\0';
	if (*text)
		error = parse_port(text, &port, r);
	if (!error && address)
		error = parse_address(address, &ip, &rest, r);
	if (!error && rest)
		error = refuse(r, SYNTAX, "method", "`%s' behind the address of %s:PORT:IP", rest,
			       m->tls ? "pssl" : "ptcp");
	if (!error)
		set_address(m, &ip, port);
	return error;
}

static int parse_unix(const char *path, struct method *m, struct refusal *r)
{
	struct sockaddr_un *un = &m->address.un;

	if (!*path || strlen(path) >= sizeof un->sun_path)
		return refuse(r, BAD_VALUE, "path",
			      "a socket's path has 1 to %zu octets; `%s' has %zu",
			      sizeof un->sun_path - 1, path, strlen(path));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path) + 1);
	m->local = true;
	m->size = sizeof *un;
	return 0;
}

int method_parse(const char *text, struct method *m, struct refusal *r)
{
	char copy[256];
	char *behind;
	size_t n = strlen(text);

	*m = (struct method){0};
	if (n >= sizeof copy)
		return refuse(r, BAD_VALUE, "method", "a method of %zu octets is too long", n);
	memcpy(copy, text, n + 1);
	behind = strchr(copy, ':');
	if (behind)
		*behind++ = '\0';
	else
		behind = copy + n;
	m->passive = copy[0] == 'p';
	m->tls = !strcmp(copy + m->passive, "ssl");
	if (!strcmp(copy, "tcp") || !strcmp(copy, "ssl"))
		return method_parse_address(behind, OFP_TCP_PORT, m, r);
	if (!strcmp(copy, "ptcp") || !strcmp(copy, "pssl"))
		return parse_listener(behind, m, r);
	if (!strcmp(copy, "unix") || !strcmp(copy, "punix"))
		return parse_unix(behind, m, r);
	return refuse(r, SYNTAX, "method",
		      "`%s' is no method; ssl:IP[:PORT], tcp:IP[:PORT], unix:PATH, "
		      "pssl:[PORT][:IP], ptcp:[PORT][:IP] and punix:PATH are",
		      text);
}

bool method_is_near(const struct method *m)
{
	const struct sockaddr_in *in = (const void *)&m->address;
	const struct sockaddr_in6 *in6 = (const void *)&m->address;

	if (m->local)
		return true;
	if (m->address.any.sa_family == AF_INET)
		return be32toh(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) &&
		in6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

static int take_peer(struct method *m, const char *peer, struct refusal *r)
{
	if (!m->tls)
		return refuse(r, BAD_VALUE, "peer",
			      "peer= is a name in a certificate; with ssl: and pssl: it would be "
			      "accepted");
	if (!*peer || strlen(peer) >= sizeof m->peer)
		return refuse(r, BAD_VALUE, "peer", "peer=NAME has 1 to %zu octets",
			      sizeof m->peer - 1);
	strcpy(m->peer, peer);
	return 0;
}

/* Who comes by it may put rules into the guard, as this origin. */
static int take_origin(struct method *m, struct options *opt, struct refusal *r)
{
	static const char *const words[] = {"cli", "bgp", "watch", "request", NULL};
	static const uint8_t origins[] = {ORIGIN_CLI, ORIGIN_BGP, ORIGIN_WATCH, ORIGIN_REQUEST};
	unsigned i = ARRAY_SIZE(origins);
	int error = option_word(opt, "origin", words, &i, r);

	if (!error && i < ARRAY_SIZE(origins))
		m->origin = origins[i];
	return error;
}

static int take_aux(struct method *m, struct options *opt, struct refusal *r)
{
	uint64_t n = 0;
	int error = option_u64(opt, "aux", (struct range){0, METHOD_AUX}, &n, r);

	if (!error && n && m->passive)
		return refuse(r, BAD_VALUE, "aux",
			      "aux= is how many auxiliary connections the switch makes, which does "
			      "not dial here; with tcp:, ssl: or unix: it would be accepted");
	m->n_aux = (uint8_t)n;
	return error;
}

int method_options(struct method *m, unsigned n, const char *const *words, struct refusal *r)
{
	struct options opt;
	const char *peer;
	int error = options_parse(&opt, n, words, r);

	if (error)
		return error;
	peer = option(&opt, "peer");
	error = peer ? take_peer(m, peer, r) : 0;
	m->origin = ORIGIN_CONTROLLER;
	if (!error)
		error = take_origin(m, &opt, r);
	if (!error)
		error = option_bool(&opt, "plain", &m->plain, r);
	if (!error)
		error = take_aux(m, &opt, r);
	if (!error)
		error = options_finish(&opt, r);
	options_free(&opt);
	if (!error && m->passive && !m->tls && !m->plain && !method_is_near(m))
		error = refuse(r, NEEDS_FORCE, "method",
			       "whoever reaches that address would rule the switch: pssl: instead, "
			       "which asks for certificates, or `plain=yes` behind the method if "
			       "that is meant");
	return error;
}

/* Takes a dead socket file out of the way. */
static int clear_path(const struct method *m, struct refusal *r)
{
	const char *path = m->address.un.sun_path;
	struct stat st;
	int fd, error;

	if (lstat(path, &st))
		return 0; /* bind() says what is wrong with the path */
	if (!S_ISSOCK(st.st_mode))
		return refuse(r, OCCUPIED, "path", "%s is there and is no socket; move it away",
			      path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(r, SYSTEM, "path", "socket: %s", strerrordesc_np(errno));
	error = connect(fd, &m->address.any, m->size) ? errno : 0;
	close(fd);
	if (error != ECONNREFUSED)
		return refuse(
			r, OCCUPIED, "path",
			"%s is served already; another path, or the end of that server, would do",
			path);
	unlink(path);
	return 0;
}

static int refuse_bind(const struct method *m, int error, struct refusal *r)
{
	const char *would = "";

	if (error == EADDRINUSE)
		would = "; another port would do, or the end of who listens there (ss -ltnp)";
	else if (error == EADDRNOTAVAIL)
		would = "; no interface of this network namespace has it (ip address)";
	else if (m->local && error == ENOENT)
		would = "; its folder has to be there";
	refuse(r, OCCUPIED, "method", "%s: %s%s", m->local ? m->address.un.sun_path : "the address",
	       strerrordesc_np(error), would);
	return -error;
}

int method_bind(const struct method *m, struct refusal *r)
{
	int fd, on = 1, error;

	if (m->local && clear_path(m, r))
		return -EADDRINUSE;
	fd = socket(m->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		error = errno;
		refuse(r, SYSTEM, "method", "socket: %s", strerrordesc_np(error));
		return -error;
	}
	if (!m->local)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	/* Nobody can connect before listen(), so the mode is in time. */
	if (bind(fd, &m->address.any, m->size) ||
	    (m->local && chmod(m->address.un.sun_path, 0660))) {
		error = errno;
		close(fd);
		return refuse_bind(m, error, r);
	}
	return fd;
}
