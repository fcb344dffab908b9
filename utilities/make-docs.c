/* SPDX-License-Identifier: Apache-2.0 */
/* make-docs sluice-ctl.8|sluiced.8|sluice-watch.8|sluice-bench.8|completion: run by the build, not
 * installed. */
#include <stdio.h>

#include "utilities/help.h"

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (!strcmp(what, "sluice-ctl.8"))
		man_ctl(stdout);
	else if (!strcmp(what, "sluiced.8"))
		man_daemon(stdout);
	else if (!strcmp(what, "sluice-watch.8"))
		man_watch(stdout);
	else if (!strcmp(what, "sluice-bench.8"))
		man_bench(stdout);
	else if (!strcmp(what, "completion"))
		completion(stdout);
	else
		return 2;
	return fflush(stdout) ? 1 : 0;
}
