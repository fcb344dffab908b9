/* SPDX-License-Identifier: Apache-2.0 */
/* The management socket: what a peer may send, and what it hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/mgmt.h"
#include "ctl/install.h"
#include "ctl/rows.h"
#include "lib/log.h"

static struct daemon d;
static struct mgmt *m;
static struct event *ofproto_event;
static char dir[] = "/tmp/sl-mgmt-XXXXXX", path[64];

static void on_ofproto(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	(void)arg;
	ofproto_run(d.ofproto);
}

static int set_up(void **state)
{
	const struct ofproto_config config = {
		.db = ":memory:", .n_workers = 1, .cpus = (int[]){-1}};
	struct refusal r = {0};

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as sluiced does */
	log_configure("err", &r);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/mgmt.sock", dir);
	d.base = event_base_new();
	d.ofproto = ofproto_create(&config, &r);
	assert_string_equal(r.text, "");
	assert_non_null(d.ofproto);
	ofproto_event =
		event_new(d.base, ofproto_fd(d.ofproto), EV_READ | EV_PERSIST, on_ofproto, NULL);
	event_add(ofproto_event, NULL);
	m = mgmt_create(&d, path, ORIGIN_CLI, &r);
	assert_non_null(m);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mgmt_destroy(m);
	confirms_free(&d.confirms);
	ofproto_destroy(d.ofproto);
	event_free(ofproto_event);
	event_base_free(d.base);
	assert_int_equal(access(path, F_OK), -1);
	rmdir(dir);
	return 0;
}

/* ------------------------------------------------------------------ a peer */

static int dial(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	return fd;
}

/* One round of the control thread's loop. */
static void turn(void)
{
	if (ofproto_deadline(d.ofproto) <= ofproto_now(d.ofproto))
		ofproto_run(d.ofproto);
	event_base_loop(d.base, EVLOOP_NONBLOCK);
}

static void say_octets(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
		int error = errno;

		turn();
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		} else {
			assert_int_equal(error, EAGAIN);
		}
	}
}

static void say(int fd, const char *text)
{
	say_octets(fd, text, strlen(text));
}

/* The next line, without its end; "" when the daemon hung up.  Waits by running the loop. */
static char *hear(int fd)
{
	static char line[1 << 20];
	size_t n = 0;

	for (;;) {
		ssize_t got = recv(fd, line + n, 1, 0);

		if (got == 1 && line[n] == '\n')
			break;
		if (!got || (got < 0 && errno == ECONNRESET))
			break;
		if (got == 1) {
			n++;
			assert_true(n < sizeof line);
			continue;
		}
		turn();
		poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1);
	}
	line[n] = '\0';
	return line;
}

static json_t *hear_json(int fd)
{
	json_t *answer = json_loads(hear(fd), 0, NULL);

	assert_non_null(answer);
	return answer;
}

/* Hears one answer and gives its error code, 0 for a result; its id must be `id` (-1: null). */
static int hear_code(int fd, int id)
{
	json_t *answer = hear_json(fd), *got = json_object_get(answer, "id");
	json_t *error = json_object_get(answer, "error");
	int code = error ? (int)json_integer_value(json_object_get(error, "code")) : 0;

	assert_string_equal(json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
	if (id < 0)
		assert_true(json_is_null(got));
	else
		assert_int_equal(json_integer_value(got), id);
	assert_int_not_equal(!error, !json_object_get(answer, "result"));
	json_decref(answer);
	return code;
}

static int ask(int fd, const char *line, int id)
{
	say(fd, line);
	say(fd, "\n");
	return hear_code(fd, id);
}

/* ------------------------------------------------------------------ tests */

static void the_socket_is_the_groups(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

#define ADD(ID, PRIORITY)                                                         \
	"{\"jsonrpc\":\"2.0\",\"id\":" #ID ",\"method\":\"add-flow\",\"params\":" \
	"[\"priority=" #PRIORITY ",udp,actions=drop\"]}"
#define VERSION(ID) "{\"jsonrpc\":\"2.0\",\"id\":" #ID ",\"method\":\"version\"}"

/* Whatever the file's mode has become. */
static void strangers_are_turned_away(void **state)
{
	pid_t child;
	int status;

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(chmod(dir, 0755) | chmod(path, 0666), 0);
	child = fork();
	if (!child) {
		struct sockaddr_un addr = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		char said[512] = "";
		size_t n = 0;
		ssize_t got;

		strcpy(addr.sun_path, path);
		alarm(10);
		if (setgid(65534) || setgroups(0, NULL) || setuid(65534) ||
		    connect(fd, (struct sockaddr *)&addr, sizeof addr))
			_exit(2);
		while ((got = read(fd, said + n, sizeof said - 1 - n)) > 0)
			n += (size_t)got;
		/* Told why, in a line, and hung up on. */
		_exit(got || !strstr(said, "\"not-permitted\"") ||
		      !strstr(said, "uid 65534, pid ") || strchr(said, '\n') != said + n - 1);
	}
	while (!waitpid(child, &status, WNOHANG)) {
		turn();
		poll(NULL, 0, 1);
	}
	assert_int_equal(status, 0);
	assert_int_equal(chmod(dir, 0700) | chmod(path, 0660), 0);
}

/* The same verbs over the watcher's socket: its origin, and its verbs only. */
static void the_watchers_socket_is_the_watchers(void **state)
{
	struct refusal r = {0};
	struct mgmt *watch;
	json_t *answer;
	char kept[sizeof path];
	int fd;

	(void)state;
	strcpy(kept, path);
	snprintf(path, sizeof path, "%s/watch.sock", dir);
	watch = mgmt_create(&d, path, ORIGIN_WATCH, &r);
	assert_non_null(watch);
	fd = dial();
	assert_int_equal(ask(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"confirm\"}", 1),
			 -32000);
	assert_int_equal(ask(fd, VERSION(2), 2), 0);
	assert_int_equal(ask(fd,
			     "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"add-guard\",\"params\":"
			     "[\"udp actions=drop\",\"--reason\",\"x\"]}",
			     3),
			 0);
	say(fd,
	    "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"dump-flows\",\"params\":[\"--guard\"]}\n");
	answer = hear_json(fd);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(json_object_get(answer, "result"), "json"),
				       0),
			"origin")),
		"watch");
	json_decref(answer);
	close(fd);
	mgmt_destroy(watch);
	assert_int_equal(access(path, F_OK), -1);
	strcpy(path, kept);
}

static void a_second_daemon_is_refused(void **state)
{
	struct refusal r = {0};

	(void)state;
	assert_null(mgmt_create(&d, path, ORIGIN_CLI, &r));
	assert_int_equal(r.code, REFUSED_OCCUPIED);
	assert_int_equal(access(path, F_OK), 0);
}

static void what_is_no_request_is_told(void **state)
{
	int fd = dial();

	(void)state;
	assert_int_equal(ask(fd, "{", -1), -32700);
	assert_int_equal(ask(fd, "nonsense", -1), -32700);
	assert_int_equal(ask(fd, "\xff\xfe", -1), -32700);
	assert_int_equal(ask(fd, "{\"id\":1,\"id\":2}", -1), -32700);
	assert_int_equal(ask(fd, "{}", -1), -32600);
	assert_int_equal(ask(fd, "[]", -1), -32600);
	assert_int_equal(ask(fd, "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"version\"}", -1),
			 -32600);
	assert_int_equal(ask(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", -1), -32600);
	assert_int_equal(ask(fd, "{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"version\"}", -1),
			 -32600);
	assert_int_equal(ask(fd,
			     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\",\"params\":{"
			     "\"words\":{}}}",
			     -1),
			 -32600);
	assert_int_equal(
		ask(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\",\"params\":[1]}", -1),
		-32600);
	/* A misspelt name of the words would leave a verb without any. */
	assert_int_equal(ask(fd,
			     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"del-groups\","
			     "\"parms\":[\"group_id=1\"]}",
			     -1),
			 -32600);
	assert_int_equal(ask(fd,
			     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"del-groups\","
			     "\"params\":{\"word\":[\"group_id=1\"]}}",
			     -1),
			 -32600);
	assert_int_equal(ask(fd, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"vrsion\"}", 7),
			 -32601);
	assert_int_equal(
		ask(fd, "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"version\",\"params\":[\"x\"]}",
		    8),
		-32602);
	/* And the next good one is served. */
	assert_int_equal(ask(fd, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"version\"}", 9), 0);
	close(fd);
}

static void deep_nesting_is_told(void **state)
{
	static char line[100001];
	int fd = dial();

	(void)state;
	memset(line, '[', sizeof line - 1);
	assert_int_equal(ask(fd, line, -1), -32700);
	close(fd);
}

static void refusals_have_a_code_and_a_field(void **state)
{
	int fd = dial();
	json_t *answer, *data;

	(void)state;
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add-flow\",\"params\":[\"nw_sr=1,"
		"actions=drop\"]}\n");
	answer = hear_json(fd);
	data = json_object_get(json_object_get(answer, "error"), "data");
	assert_string_equal(json_string_value(json_object_get(data, "code")), "unknown-word");
	assert_string_equal(json_string_value(json_object_get(data, "field")), "nw_sr");
	assert_non_null(json_string_value(json_object_get(data, "reason")));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(answer, "error"), "code")),
		-32000);
	json_decref(answer);
	close(fd);
}

/* The change waits for a commit, the version for nothing: answers keep the order of the questions.
 */
static void answers_come_in_order(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, ADD(1, 11) "\n" VERSION(2) "\n" ADD(3, 13) "\n\n" VERSION(4) "\n");
	for (int id = 1; id <= 4; id++)
		assert_int_equal(hear_code(fd, id), 0);
	close(fd);
}

static void batches_are_answered_as_one(void **state)
{
	int fd = dial();
	json_t *answer;

	(void)state;
	say(fd, "[" ADD(1, 21) ",5,{\"jsonrpc\":\"2.0\",\"method\":\"version\"}," VERSION(2) "]\n");
	answer = hear_json(fd);
	assert_int_equal(json_array_size(answer), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(answer, 0), "id")), 1);
	assert_non_null(json_object_get(json_array_get(answer, 0), "result"));
	assert_non_null(json_object_get(json_array_get(answer, 1), "error"));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(answer, 2), "id")), 2);
	json_decref(answer);
	close(fd);
}

static void notifications_are_not_answered(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"add-flow\",\"params\":[\"priority=9,tcp,actions="
		"drop\"]}\n");
	say(fd, "[{\"jsonrpc\":\"2.0\",\"method\":\"version\"}]\n" VERSION(5) "\n");
	assert_int_equal(hear_code(fd, 5), 0);
	close(fd);
}

static void more_than_fits_is_read_later(void **state)
{
	enum { N = 10 * MGMT_IN_FLIGHT_MAX };
	int fd = dial();

	(void)state;
	for (int i = 0; i < N; i++) {
		char line[160];

		snprintf(line, sizeof line,
			 "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"add-flow\",\"params\":"
			 "[\"priority=%d,udp,actions=drop\"]}\n",
			 i, 100 + i);
		say(fd, line);
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(hear_code(fd, i), 0);
	close(fd);
}

static void a_line_without_end_ends_the_peer(void **state)
{
	static char lots[MGMT_LINE_MAX + 2];
	int fd = dial();

	(void)state;
	memset(lots, ' ', sizeof lots);
	say_octets(fd, lots, sizeof lots);
	assert_int_equal(hear_code(fd, -1), -32600);
	assert_string_equal(hear(fd), "");
	close(fd);
}

static void who_leaves_early_harms_nobody(void **state)
{
	int fd = dial(), other = dial();

	(void)state;
	say(fd, ADD(1, 31) "\n" ADD(2, 32) "\n[" ADD(3, 33) "," VERSION(4) "]\n" ADD(5, 34));
	close(fd);
	assert_int_equal(ask(other, VERSION(6), 6), 0);
	close(other);
}

/* The last word may come with the end of the line's writing side. */
static void half_closed_peers_are_answered(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, ADD(1, 41) "\n" VERSION(2) "\n");
	shutdown(fd, SHUT_WR);
	assert_int_equal(hear_code(fd, 1), 0);
	assert_int_equal(hear_code(fd, 2), 0);
	assert_string_equal(hear(fd), "");
	close(fd);
}

static void only_so_many_at_once(void **state)
{
	int fd[MGMT_PEERS_MAX + 1];

	(void)state;
	d.n_mgmt_turned_away = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = dial();
		if (i < MGMT_PEERS_MAX)
			assert_int_equal(ask(fd[i], VERSION(1), 1), 0);
	}
	assert_non_null(strstr(hear(fd[MGMT_PEERS_MAX]), "\"limit\""));
	assert_string_equal(hear(fd[MGMT_PEERS_MAX]), "");
	assert_int_equal(d.n_mgmt_turned_away, 1);
	assert_int_equal(ask(fd[0], VERSION(1), 1), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	for (unsigned i = 0; i < 4; i++)
		turn();
}

/* Who has asked nothing yet goes before who comes now does. */
static void who_asks_nothing_gives_way(void **state)
{
	int asked = dial(), fd[MGMT_PEERS_MAX + 8];

	(void)state;
	d.n_mgmt_turned_away = 0;
	assert_int_equal(ask(asked, VERSION(1), 1), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = dial();
		turn();
	}
	assert_int_equal(d.n_mgmt_turned_away, 9);
	assert_string_equal(hear(fd[0]), "");
	assert_int_equal(ask(fd[9], VERSION(1), 1), 0);
	assert_int_equal(ask(asked, VERSION(2), 2), 0);
	close(asked);
	for (unsigned i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	for (unsigned i = 0; i < 4; i++)
		turn();
}

static void lines_of_too_many_values_are_told(void **state)
{
	static char lots[2 * MGMT_VALUES_MAX + 8];
	int fd = dial();

	(void)state;
	for (unsigned i = 0; i < 2 * MGMT_VALUES_MAX; i += 2)
		memcpy(lots + i, "1,", 2);
	lots[0] = '[';
	strcpy(lots + 2 * MGMT_VALUES_MAX, ",1]\n");
	say_octets(fd, lots, strlen(lots));
	assert_non_null(strstr(hear(fd), "values"));
	/* A string is one, whatever it holds. */
	memcpy(lots, "\"\\\"[", 4);
	lots[2 * MGMT_VALUES_MAX] = '"';
	strcpy(lots + 2 * MGMT_VALUES_MAX + 1, "\n");
	say_octets(fd, lots, strlen(lots));
	assert_non_null(strstr(hear(fd), "expected"));
	close(fd);
}

/* All peers' lines together are bounded: the longest goes, the others stay. */
static void lines_of_all_are_bounded(void **state)
{
	enum { N = 3 };
	static char lots[48 << 20];
	int fd[N], good = dial();

	(void)state;
	memset(lots, ' ', sizeof lots);
	d.n_mgmt_turned_away = 0;
	assert_int_equal(ask(good, VERSION(1), 1), 0);
	for (unsigned i = 0; i < N; i++) {
		fd[i] = dial();
		say_octets(fd[i], lots,
			   i < N - 1 ? sizeof lots : MGMT_INPUT_MAX - (N - 1) * sizeof lots);
	}
	for (unsigned i = 0; i < 64; i++)
		turn();
	assert_int_equal(d.n_mgmt_turned_away, 0);
	say_octets(fd[2], lots, 1024);
	for (unsigned i = 0; i < 64; i++)
		turn();
	assert_int_equal(d.n_mgmt_turned_away, 1);
	assert_int_equal(ask(good, VERSION(2), 2), 0);
	assert_int_equal(ask(fd[2], VERSION(3), 3), 0);
	for (unsigned i = 0; i < N; i++)
		close(fd[i]);
	close(good);
	for (unsigned i = 0; i < 4; i++)
		turn();
}

/* A batch of as many dumps of 2,000 rules as are more than all answers together may be; back when
 * it is answered. */
static void say_dumps(int fd)
{
	static char line[MGMT_BATCH_MAX * 64];
	size_t n = 0;

	for (unsigned i = 0; i < 100; i++)
		n += (size_t)snprintf(line + n, sizeof line - n,
				      "%c{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"dump-flows\"}",
				      i ? ',' : '[', i);
	strcpy(line + n, "]\n");
	say(fd, line);
	while (!poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0))
		turn();
}

/* The octets of an answer up to its end; whether `word` is in the last of them. */
static size_t hear_all(int fd, const char *word, bool *found)
{
	static char room[65536 + 1];
	size_t sum = 0;
	ssize_t n;

	for (;;) {
		turn();
		n = recv(fd, room, sizeof room - 1, 0);
		if (n < 0)
			continue;
		room[n] = '\0';
		sum += (size_t)n;
		if (!n || room[n - 1] == '\n')
			break;
	}
	*found = strstr(room, word);
	return sum;
}

/* What is kept for all peers together is bounded: who asks for more is refused, and for whom the
 * most is kept goes where another asks. */
static void answers_of_all_are_bounded(void **state)
{
	int first = dial(), good = dial();
	struct refusal r = {0};
	struct flow_mod fm;
	bool refused;
	char text[64];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(text, sizeof text, "priority=%u,udp actions=drop", i + 1);
		assert_int_equal(flow_parse(text, OFPFC_ADD, &fm, &r), 0);
		assert_int_equal(ofproto_flow_mod(d.ofproto, &fm, NULL, &r), 0);
		flow_mod_free(&fm);
	}
	assert_int_equal(ofproto_sync(d.ofproto, &r), 0);
	d.n_mgmt_turned_away = 0;
	say_dumps(first);
	assert_in_range(hear_all(first, "\"limit\"", &refused), MGMT_ANSWERS_MAX,
			MGMT_ANSWERS_MAX + (2 << 20));
	assert_true(refused);
	say_dumps(first);
	assert_int_equal(d.n_mgmt_turned_away, 0);
	say(good, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"dump-flows\"}\n" VERSION(2) "\n");
	while (!d.n_mgmt_turned_away)
		turn();
	assert_int_equal(hear_code(good, 1), 0);
	assert_int_equal(hear_code(good, 2), 0);
	assert_int_equal(d.n_mgmt_turned_away, 1);
	assert_in_range(hear_all(first, "", &refused), 0, MGMT_ANSWERS_MAX - 1);
	close(first);
	close(good);
	for (unsigned i = 0; i < 4; i++)
		turn();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_socket_is_the_groups),
		cmocka_unit_test(strangers_are_turned_away),
		cmocka_unit_test(the_watchers_socket_is_the_watchers),
		cmocka_unit_test(a_second_daemon_is_refused),
		cmocka_unit_test(what_is_no_request_is_told),
		cmocka_unit_test(deep_nesting_is_told),
		cmocka_unit_test(refusals_have_a_code_and_a_field),
		cmocka_unit_test(answers_come_in_order),
		cmocka_unit_test(batches_are_answered_as_one),
		cmocka_unit_test(notifications_are_not_answered),
		cmocka_unit_test(more_than_fits_is_read_later),
		cmocka_unit_test(a_line_without_end_ends_the_peer),
		cmocka_unit_test(who_leaves_early_harms_nobody),
		cmocka_unit_test(half_closed_peers_are_answered),
		cmocka_unit_test(only_so_many_at_once),
		cmocka_unit_test(who_asks_nothing_gives_way),
		cmocka_unit_test(lines_of_too_many_values_are_told),
		cmocka_unit_test(lines_of_all_are_bounded),
		cmocka_unit_test(answers_of_all_are_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
