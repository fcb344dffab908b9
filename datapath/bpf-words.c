/* SPDX-License-Identifier: Apache-2.0 */
#include "datapath/bpf-words.h"

#include <ctype.h>

#include "lib/addr.h"

/* Of pcap-filter(7), those that ask for no name behind them and mean something on Ethernet and IP.
 * protochain is not among them: its programs go round. */
static const char *const words[] = {
	"ah",
	"and",
	"arp",
	"broadcast",
	"carp",
	"dst",
	"esp",
	"ether",
	"geneve",
	"greater",
	"host",
	"icmp",
	"icmp6",
	"igmp",
	"igrp",
	"ip",
	"ip6",
	"len",
	"less",
	"mask",
	"mpls",
	"multicast",
	"net",
	"not",
	"or",
	"pim",
	"port",
	"portrange",
	"pppoed",
	"pppoes",
	"proto",
	"rarp",
	"sctp",
	"src",
	"tcp",
	"udp",
	"vlan",
	"vrrp",
	/* Numbers with names: offsets, types, flags. */
	"icmp-echo",
	"icmp-echoreply",
	"icmp-ireq",
	"icmp-ireqreply",
	"icmp-maskreply",
	"icmp-maskreq",
	"icmp-paramprob",
	"icmp-redirect",
	"icmp-routeradvert",
	"icmp-routersolicit",
	"icmp-sourcequench",
	"icmp-timxceed",
	"icmp-tstamp",
	"icmp-tstampreply",
	"icmp-unreach",
	"icmp6-destinationrunreach",
	"icmp6-echo",
	"icmp6-echoreply",
	"icmp6-multicastlistenerdone",
	"icmp6-multicastlistenerquery",
	"icmp6-multicastlistenerreportv1",
	"icmp6-multicastlistenerreportv2",
	"icmp6-neighboradvert",
	"icmp6-neighborsolicit",
	"icmp6-packettoobig",
	"icmp6-parameterproblem",
	"icmp6-redirect",
	"icmp6-routeradvert",
	"icmp6-routersolicit",
	"icmp6-timeexceeded",
	"icmp6code",
	"icmp6type",
	"icmpcode",
	"icmptype",
	"tcp-ack",
	"tcp-cwr",
	"tcp-ece",
	"tcp-fin",
	"tcp-push",
	"tcp-rst",
	"tcp-syn",
	"tcp-urg",
	"tcpflags",
};

enum { WORD_MAX = 64 };

static bool is_keyword(const char *word)
{
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

/* Decimal or 0x…; nothing else behind. */
static bool is_number(const char *word)
{
	const char *digits = "0123456789";

	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
		word += 2;
		digits = "0123456789abcdefABCDEF";
	}
	return *word && strlen(word) <= 16 && !word[strspn(word, digits)];
}

/* 10, 10.1, 10.1.2, 10.1.2.3: what libpcap takes for an address or the beginning of one. */
static bool is_dotted(const char *word)
{
	unsigned parts = 1;

	for (; *word; word++) {
		if (*word == '.' && isdigit((unsigned char)word[1]))
			parts++;
		else if (!isdigit((unsigned char)*word))
			return false;
	}
	return parts <= 4;
}

/* 80-90, which is a range behind `portrange` and a name elsewhere. */
static bool is_port_range(const char *word)
{
	const char *dash = strchr(word, '-');
	size_t first = dash ? (size_t)(dash - word) : 0;

	return first && first <= 5 && strspn(word, "0123456789") == first && dash[1] &&
	       strlen(dash + 1) <= 5 && !dash[1 + strspn(dash + 1, "0123456789")];
}

/* ip[9:1]: numbers with a colon between. */
static bool is_slice(char *word)
{
	char *colon = strchr(word, ':');
	bool good;

	*colon = '\0';
	good = (!*word || is_number(word) || is_keyword(word)) &&
	       (!colon[1] || is_number(colon + 1));
	*colon = ':';
	return good;
}

static bool is_address(const char *word)
{
	uint8_t eth[6];
	struct ip ip;

	return (ip_parse(word, &ip) && ip.family == 6) || eth_parse(word, eth);
}

static bool is_allowed(char *word, const char *before, bool in_brackets)
{
	if (strchr(word, ':'))
		return in_brackets ? is_slice(word) : is_address(word);
	return is_keyword(word) || is_number(word) || is_dotted(word) ||
	       (!strcmp(before, "portrange") && is_port_range(word));
}

static int bad_word(const char *word, struct refusal *r)
{
	return refuse(r, BAD_VALUE, "bpf",
		      "bpf: '%.40s' may be a name, and names are not looked up; numbers, "
		      "addresses and the words of pcap-filter(7) would be accepted",
		      word);
}

int bpf_check_words(const char *text, struct refusal *r)
{
	static const char marks[] = " \t\n()[]!&|<>=+*/%^,";
	char before[WORD_MAX] = "", word[WORD_MAX];
	unsigned brackets = 0;

	while (*text) {
		size_t size = 0;

		/* A minus in front is arithmetic; within, libpcap takes it for a part of a name. */
		if (strchr(marks, *text) || *text == '-') {
			brackets += *text == '[';
			brackets -= *text == ']' && brackets;
			text++;
			continue;
		}
		while (isalnum((unsigned char)text[size]) ||
		       (text[size] && strchr("._-:", text[size])))
			size++;
		if (!size || size >= sizeof word)
			return bad_word(text, r);
		memcpy(word, text, size);
		word[size] = '\0';
		if (!is_allowed(word, before, brackets))
			return bad_word(word, r);
		memcpy(before, word, size + 1);
		text += size;
	}
	return 0;
}
