// SPDX-License-Identifier: GPL-2.0-or-later
/* `hugebench doctor` */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/base/json.h"
#include "bench/guest/accel.h"
#include "bench/base/restore.h"
#include "bench/commands/commands.h"
#include "bench/run/doctor.h"
#include "bench/run/metal.h"

struct arguments {
	int json, restore;
	const char *probe;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct arguments *a = state->input;

	switch (key) {
	case 'j':
		a->json = 1;
		return 0;
	case 'r':
		a->restore = 1;
		return 0;
	case 'p':
		a->probe = value;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Put back what an interrupted native run changed on this machine. */
static int restore(void)
{
	struct hb_error e = {""};
	HB_FREE char *path = restore_path(), *what = NULL;
	int rc = path ? restore_pending(path, &e) : -ENOMEM, metal = metal_restore(&e);

	if (metal > 0)
		puts("doctor: removed what `hugebench metal` left behind");
	if (metal < 0)
		rc = metal;
	if (!rc) {
		if (!metal)
			puts("doctor: nothing to put back");
		return EXIT_OK;
	}
	if (rc > 0) {
		what = restore_text(path);
		rc = restore_apply(path, &e);
	}
	if (rc) {
		fprintf(stderr, "hugebench: restore: %s\n", *e.text ? e.text : strerror(-rc));
		return EXIT_HOST;
	}
	printf("doctor: put back: %s\n", what ? what : "");
	return EXIT_OK;
}

static int probe(const char *bzimage)
{
	struct hb_error e = {""};
	struct accel a;
	int rc = accel_probe(bzimage, true, &a, &e);

	if (rc) {
		fprintf(stderr, "hugebench: probe: %s\n", e.text);
		return EXIT_HOST;
	}
	return EXIT_OK;
}

/* A native run that was killed leaves a note; say what it changed. */
static void add_pending(json_t *rows)
{
	HB_FREE char *path = restore_path(), *text = NULL, *detail = NULL;
	struct hb_error e = {""};
	int rc = path ? restore_pending(path, &e) : 0;

	if (!rc)
		return;
	if (rc > 0) {
		text = restore_text(path);
		detail = hb_strf("a native run was killed and left its settings behind: %s",
				 text ? text : path);
	}
	json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s}", "check", "settings", "state",
					      "warn", "detail", detail ? detail : e.text, "mend",
					      rc > 0 ? "hugebench doctor --restore" : ""));
}

/* A run that boots this machine, or what is left of one. */
static void add_metal(json_t *rows)
{
	const char *mend;
	HB_FREE char *text = metal_left(&mend);

	if (text)
		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:s, s:s}", "check", "metal", "state",
						"warn", "detail", text, "mend", mend));
}

static void print(const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		const char *mend = json_string_value(json_object_get(row, "mend"));

		printf("%-5s %-24s %s\n", json_text(row, "state"), json_text(row, "check"),
		       json_text(row, "detail"));
		if (*mend)
			printf("%-5s %-24s mend: %s\n", "", "", mend);
	}
}

static bool any_bad(const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row)
		if (!strcmp(json_text(row, "state"), "bad"))
			return true;
	return false;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"json", 'j', NULL, 0, "Print the checks as JSON", 0},
		{"restore", 'r', NULL, 0,
		 "Put back what a killed native run changed, remove what `hugebench metal` left "
		 "behind, nothing else",
		 0},
		{"probe", 'p', "BZIMAGE", 0, "Try again whether KVM boots this kernel", 0},
		{0},
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "What this host can do, what makes it noisy, and the commands that mend it."
		       "\vExit status: 0, or 3 when something is bad.",
	};
	struct arguments a = {0};
	json_t *rows;
	int status;

	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return EXIT_USAGE;
	if (a.restore)
		return restore();
	if (a.probe && (status = probe(a.probe)))
		return status;
	rows = doctor_check();
	if (!rows)
		return EXIT_HOST;
	add_pending(rows);
	add_metal(rows);
	if (a.json) {
		json_dumpf(rows, stdout, JSON_INDENT(1));
		putchar('\n');
	} else {
		print(rows);
	}
	status = any_bad(rows) ? EXIT_HOST : EXIT_OK;
	json_decref(rows);
	return status;
}
