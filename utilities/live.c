/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/live.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

/* Keys come at once and unseen; Ctrl-C stays a signal. */
static bool keys_at_once(struct termios *was)
{
	struct termios t;

	if (tcgetattr(STDIN_FILENO, was))
		return false;
	t = *was;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	return !tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

/* Until a second has gone, or it shall end. */
static bool go_on(bool keys)
{
	struct pollfd in = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN};
	char key;

	if (poll(&in, 1, 1000) <= 0)
		return !ended;
	return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q' && !ended;
}

int live(int (*show)(void *arg), void *arg)
{
	const struct sigaction end = {.sa_handler = on_signal};
	struct termios was;
	int status;
	bool keys;

	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	keys = isatty(STDIN_FILENO) && keys_at_once(&was);
	do {
		fputs("\033[H\033[J", stdout);
		status = show(arg);
	} while (!status && go_on(keys));
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &was);
	return ended ? 0 : status; /* a signal may have come into the call */
}
