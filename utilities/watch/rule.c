/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/watch/decide.h"

#include <inttypes.h>

#include "lib/options.h"

void guard_rule_format(const struct guard_rule *rule, struct buf *text)
{
	struct rate limit = {rule->limit_pps ? rule->limit_pps : rule->limit_bps,
			     rule->limit_pps != 0};
	size_t size;
	char rate[RATE_TEXT];

	buf_printf(text, "cookie=0x%" PRIx64 ",priority=%u,", rule->cookie, rule->priority);
	size = text->size;
	match_format(&rule->match, text);
	buf_printf(text, "%sactions=", text->size > size ? "," : "");
	if (rule->action == GUARD_LIMIT)
		buf_printf(text, "limit:%s", rate_text(limit, rate));
	else
		buf_printf(text, "%s", rule->action == GUARD_DROP ? "drop" : "pass");
}
