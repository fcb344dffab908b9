/* SPDX-License-Identifier: Apache-2.0 */
/* Options and refusals: what people write and what they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/openflow.h"
#include "lib/options.h"

/* ------------------------------------------------------------------ refusals */

static void refusals_are_filled_once(void **state)
{
	uint16_t type, code;
	struct refusal r;

	(void)state;
	assert_int_equal(refuse(NULL, SYNTAX, "x", "no"), -EINVAL);
	assert_int_equal(refuse(&r, BAD_MASK, "ip_src", "mask %d", 7), -EINVAL);
	assert_int_equal(r.code, REFUSED_BAD_MASK);
	assert_string_equal(r.field, "ip_src");
	assert_string_equal(r.text, "mask 7");
	refuse(&r, SYNTAX, NULL, "%0400d", 1);
	assert_string_equal(r.field, "");
	assert_int_equal(strlen(r.text), sizeof r.text - 1);
	assert_string_equal(refusal_name(REFUSED_BAD_MASK), "bad-mask");
	assert_string_equal(refusal_name(N_REFUSALS), "unknown");
	refusal_openflow(REFUSED_TABLE_FULL, &type, &code);
	assert_int_equal(type, OFPET_FLOW_MOD_FAILED);
	assert_int_equal(code, OFPFMFC_TABLE_FULL);
}

static void the_nearest_word_is_meant(void **state)
{
	static const char *const words[] = {"local_ip", "remote_ip", "mtu", "peer", NULL};

	(void)state;
	assert_string_equal(did_you_mean("remot_ip", words), "remote_ip");
	assert_string_equal(did_you_mean("locla_ip", words), "local_ip");
	assert_string_equal(did_you_mean("mtx", words), "mtu");
	assert_null(did_you_mean("colour", words));
	assert_null(did_you_mean("mtu", words + 4));
}

/* ------------------------------------------------------------------ options */

static struct options o;
static struct refusal r;

static void parse(const char *word)
{
	options_free(&o);
	memset(&r, 0, sizeof r);
	assert_int_equal(options_parse(&o, 1, &word, &r), 0);
}

#define assert_says(words) assert_non_null(strstr(r.text, words))

static int free_options(void **state)
{
	(void)state;
	options_free(&o);
	o.offline = false;
	return 0;
}

static void words_become_options(void **state)
{
	const char *const words[] = {"a=1", "b=", "c=x=y"};
	char copied[] = "d=4";
	const char *const word = copied;

	(void)state;
	o.offline = true;
	assert_int_equal(options_parse(&o, 3, words, &r), 0);
	assert_true(o.offline);
	assert_string_equal(option(&o, "a"), "1");
	assert_string_equal(option(&o, "b"), "");
	assert_string_equal(option(&o, "c"), "x=y");
	assert_null(option(&o, "d"));
	assert_int_equal(options_finish(&o, &r), 0);
	options_free(&o);
	assert_null(option(&o, "a"));
	options_free(&o);
	assert_int_equal(options_parse(&o, 1, &word, &r), 0);
	copied[2] = '5';
	assert_string_equal(option(&o, "d"), "4");
}

static void bad_words_are_refused(void **state)
{
	const char *const twice[] = {"a=1", "psk=s3cret", "psk=s3cret"};
	const char *const none[] = {"a=1", "mtu"};
	const char *const nameless[] = {"=5"};
	const char *const lengthy[] = {"0123456789abcdef0123456789abcdef"};
	char many[OPTIONS_MAX + 1][16];
	const char *list[OPTIONS_MAX + 1];

	(void)state;
	assert_int_equal(options_parse(&o, 3, twice, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_DUP_FIELD);
	assert_string_equal(r.field, "psk");
	assert_says("twice");
	assert_null(strstr(r.text, "s3cret"));
	assert_int_equal(o.n, 0);
	assert_int_equal(options_parse(&o, 2, none, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_SYNTAX);
	assert_says("'mtu'");
	assert_says("key=value");
	assert_int_equal(options_parse(&o, 1, nameless, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_SYNTAX);
	assert_int_equal(options_parse(&o, 1, lengthy, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_SYNTAX);
	assert_null(strstr(r.text, "0123"));

	for (unsigned i = 0; i <= OPTIONS_MAX; i++) {
		snprintf(many[i], sizeof many[i], "o%u=%u", i, i);
		list[i] = many[i];
	}
	assert_int_equal(options_parse(&o, OPTIONS_MAX + 1, list, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_LIMIT);
	assert_says("48");
	assert_int_equal(options_parse(&o, OPTIONS_MAX, list, &r), 0);
	for (unsigned i = 0; i < OPTIONS_MAX; i++) {
		*strchr(many[i], '=') = '\0';
		assert_non_null(option(&o, many[i]));
		assert_non_null(option(&o, many[i]));
	}
	assert_null(option(&o, "one_more_than_can_be_noted"));
	assert_int_equal(options_finish(&o, &r), 0);
}

static void unknown_options_are_refused(void **state)
{
	(void)state;
	parse("remot_ip=192.0.2.1");
	assert_null(option(&o, "mtu"));
	assert_null(option(&o, "remote_ip"));
	assert_int_equal(options_finish(&o, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_UNKNOWN_WORD);
	assert_string_equal(r.field, "remot_ip");
	assert_says("did you mean remote_ip?");
	assert_null(strstr(r.text, "192.0.2.1"));

	parse("colour=red");
	option(&o, "mtu");
	option(&o, "remote_ip");
	assert_int_equal(options_finish(&o, &r), -EINVAL);
	assert_says("accepted: mtu, remote_ip");
	parse("colour=red");
	assert_int_equal(options_finish(&o, &r), -EINVAL);
	assert_says("no option is accepted");
	parse("col\nour=red");
	assert_int_equal(options_finish(&o, &r), -EINVAL);
	assert_says("col?our");
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"010", 0, 10},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"0x0", 0, 0},
		{"0xFfffffffffffffff", 0, UINT64_MAX},
		{"0x10000000000000000", -ERANGE, 0},
		{"0X1f", 0, 31},
		{"", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1a", -EINVAL, 0},
		{"99999999999999999999x", -EINVAL, 0},
		{"1.5", -EINVAL, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 77;

		assert_int_equal(parse_u64(cases[i].text, &v), cases[i].error);
		assert_true(v == (cases[i].error ? 77 : cases[i].value));
	}
}

static void times(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"500us", 500000},
		{"20ms", 20000000},
		{"1s", 1000000000},
		{"7", 7000000000},
		{"2m", 120000000000},
		{"1h", 3600000000000},
		{"0", 0},
		{"18446744073s", 18446744073000000000ull},
	};
	static const char *const bad[] = {"",
					  "s",
					  "1 s",
					  "-1s",
					  "1ns",
					  "1S",
					  "1.5s",
					  "18446744074s",
					  "99999999999999999999us",
					  "0x1s",
					  "1sm",
					  "1d"};
	uint64_t ns;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(parse_time(good[i].text, &ns), 0);
		assert_true(ns == good[i].ns);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		ns = 77;
		assert_int_equal(parse_time(bad[i], &ns), -EINVAL);
		assert_true(ns == 77);
	}
}

static void rates(void **state)
{
	static const struct {
		const char *text, *back;
		uint64_t n;
		bool packets;
	} good[] = {
		{"0pps", "0mpps", 0, true},
		{"1pps", "1pps", 1, true},
		{"2kpps", "2kpps", 2000, true},
		{"1500pps", "1500pps", 1500, true},
		{"3000kpps", "3mpps", 3000000, true},
		{"1bps", "1bps", 1, false},
		{"10mbps", "10mbps", 10000000, false},
		{"1000000kbps", "1gbps", 1000000000, false},
		{"18446744073gbps", "18446744073gbps", 18446744073000000000ull, false},
	};
	static const char *const bad[] = {
		"", "1", "pps", "-1pps", "1 pps", "1PPS", "1.5mbps", "0x1pps", "18446744074gbps",
	};
	char text[RATE_TEXT];
	struct rate rate;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(parse_rate(good[i].text, &rate), 0);
		assert_true(rate.n == good[i].n && rate.packets == good[i].packets);
		assert_string_equal(rate_text(rate, text), good[i].back);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_rate(bad[i], &rate), -EINVAL);
	rate = (struct rate){UINT64_MAX, false};
	assert_string_equal(rate_text(rate, text), "18446744073709551615bps");
}

static void getters_leave_defaults(void **state)
{
	static const char *const words[] = {"a", NULL};
	uint8_t room[4] = {1, 2, 3, 4};
	struct octets octets = {room, sizeof room, 3};
	struct ip ip = ip_v4(1);
	uint64_t n = 7, ns = 8;
	unsigned word = 9;
	bool yes = true;

	(void)state;
	assert_int_equal(options_parse(&o, 0, NULL, &r), 0);
	assert_int_equal(option_bool(&o, "k", &yes, &r), 0);
	assert_int_equal(option_u64(&o, "k", (struct range){0, 1}, &n, &r), 0);
	assert_int_equal(option_time(&o, "k", &ns, &r), 0);
	assert_int_equal(option_ip(&o, "k", &ip, &r), 0);
	assert_int_equal(option_word(&o, "k", words, &word, &r), 0);
	assert_int_equal(option_hex(&o, "k", &octets, &r), 0);
	assert_true(yes && n == 7 && ns == 8 && word == 9);
	assert_int_equal(ip_as_v4(&ip), 1);
	assert_int_equal(octets.size, 3);
	assert_int_equal(room[0], 1);
}

static void getters_take_values(void **state)
{
	static const char *const words[] = {"none", "inner", "outer", NULL};
	char text[IP_TEXT];
	bool yes = false;
	uint64_t v = 0;
	struct ip ip;
	unsigned i = 0;

	(void)state;
	parse("k=yes");
	assert_int_equal(option_bool(&o, "k", &yes, &r), 0);
	assert_true(yes);
	parse("k=no");
	assert_int_equal(option_bool(&o, "k", &yes, &r), 0);
	assert_false(yes);
	parse("k=0x10");
	assert_int_equal(option_u64(&o, "k", (struct range){16, 16}, &v, &r), 0);
	assert_true(v == 16);
	parse("k=20ms");
	assert_int_equal(option_time(&o, "k", &v, &r), 0);
	assert_true(v == 20 * NSEC_PER_MSEC);
	parse("k=2001:db8::1");
	assert_int_equal(option_ip(&o, "k", &ip, &r), 0);
	assert_string_equal(ip_text(&ip, text), "2001:db8::1");
	parse("k=outer");
	assert_int_equal(option_word(&o, "k", words, &i, &r), 0);
	assert_int_equal(i, 2);
	assert_int_equal(options_finish(&o, &r), 0);
}

static void getters_refuse(void **state)
{
	static const char *const words[] = {"none", "inner", "outer", NULL};
	struct ip ip = ip_v4(1);
	bool yes = true;
	uint64_t v = 7;
	unsigned i = 9;

	(void)state;
	parse("k=true");
	assert_int_equal(option_bool(&o, "k", &yes, &r), -EINVAL);
	assert_int_equal(r.code, REFUSED_BAD_VALUE);
	assert_string_equal(r.field, "k");
	assert_string_equal(r.text, "option k: 'true' is neither yes nor no");
	parse("k=17");
	assert_int_equal(option_u64(&o, "k", (struct range){18, 20}, &v, &r), -EINVAL);
	assert_string_equal(r.text, "option k: '17' is not a number from 18 to 20");
	assert_int_equal(option_u64(&o, "k", (struct range){1, 16}, &v, &r), -EINVAL);
	parse("k=a\nb");
	assert_int_equal(option_u64(&o, "k", (struct range){0, 16}, &v, &r), -EINVAL);
	assert_says("'a?b'");
	assert_int_equal(option_time(&o, "k", &v, &r), -EINVAL);
	assert_says("500us");
	assert_int_equal(option_ip(&o, "k", &ip, &r), -EINVAL);
	assert_says("IPv4");
	parse("k=iner");
	assert_int_equal(option_word(&o, "k", words, &i, &r), -EINVAL);
	assert_says("'iner' is not one of: none, inner, outer; did you mean inner?");
	parse("k=zzzzzzzz");
	assert_int_equal(option_word(&o, "k", words, &i, &r), -EINVAL);
	assert_null(strstr(r.text, "mean"));
	assert_true(yes && v == 7 && i == 9 && ip_as_v4(&ip) == 1);
	assert_int_equal(options_finish(&o, &r), 0); /* asked for is used, well-formed or not */
}

static void hex_of_a_word(void **state)
{
	static const char *const bad[] = {"k=",      "k=c0ffe",      "k=c0ffeeg0",
					  "k=c0 ff", "k=c0ffeec0ff", "k=@/nonexistent/c0ffee",
					  "k=@/"};
	uint8_t room[4];
	struct octets octets = {room, sizeof room, 0};

	(void)state;
	parse("k=C0ffEe");
	assert_int_equal(option_hex(&o, "k", &octets, &r), 0);
	assert_int_equal(octets.size, 3);
	assert_memory_equal(room, "\xc0\xff\xee", 3);
	parse("k=00112233");
	assert_int_equal(option_hex(&o, "k", &octets, &r), 0);
	assert_int_equal(octets.size, 4);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		parse(bad[i]);
		assert_int_equal(option_hex(&o, "k", &octets, &r), -EINVAL);
		assert_int_equal(r.code, REFUSED_BAD_VALUE);
		assert_string_equal(r.field, "k");
		assert_says("1 to 4 octets");
		assert_null(strstr(r.text, "c0"));
		assert_int_equal(octets.size, 0);
		assert_memory_equal(room, "\0\0\0\0", 4); /* nothing of a key is left behind */
	}
}

static void hex_of_a_file(void **state)
{
	char file[] = "/tmp/test-lib-XXXXXX", word[64];
	int fd = mkstemp(file);
	uint8_t room[600];
	struct octets octets = {room, sizeof room, 0};

	(void)state;
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(write(fd, " c0\tF\nf\r\n", 9), 9);
	snprintf(word, sizeof word, "k=@%s", file);
	parse(word);
	assert_int_equal(option_hex(&o, "k", &octets, &r), 0);
	assert_int_equal(octets.size, 600);
	for (unsigned i = 0; i < 600; i++)
		assert_int_equal(room[i], i & 1 ? 0xff : 0xc0);
	octets.room = 599;
	assert_int_equal(option_hex(&o, "k", &octets, &r), -EINVAL);
	assert_says("too long");
	assert_int_equal(ftruncate(fd, 1), 0);
	assert_int_equal(option_hex(&o, "k", &octets, &r), -EINVAL);
	assert_says("empty");
	assert_int_equal(pwrite(fd, "c0\0c", 4, 0), 4);
	assert_int_equal(option_hex(&o, "k", &octets, &r), -EINVAL);
	close(fd);
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_are_filled_once),
		cmocka_unit_test(the_nearest_word_is_meant),
		cmocka_unit_test_teardown(words_become_options, free_options),
		cmocka_unit_test_teardown(bad_words_are_refused, free_options),
		cmocka_unit_test_teardown(unknown_options_are_refused, free_options),
		cmocka_unit_test(numbers),
		cmocka_unit_test(times),
		cmocka_unit_test(rates),
		cmocka_unit_test_teardown(getters_leave_defaults, free_options),
		cmocka_unit_test_teardown(getters_take_values, free_options),
		cmocka_unit_test_teardown(getters_refuse, free_options),
		cmocka_unit_test_teardown(hex_of_a_word, free_options),
		cmocka_unit_test_teardown(hex_of_a_file, free_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
