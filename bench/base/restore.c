// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/base/json.h"
#include "bench/base/restore.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESTORE_FORMAT 1
/* Huge pages of a process that has just been killed are in use for a moment longer. */
#define WRITE_TRIES    20
#define WRITE_PAUSE_NS 50000000ULL

char *restore_path(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (cache && *cache == '/')
		return hb_strf("%s/hugebench/restore.json", cache);
	if (home && *home == '/')
		return hb_strf("%s/.cache/hugebench/restore.json", home);
	return NULL;
}

/* Field 22 of /proc/PID/stat in clock ticks since boot; 0 when there is no such process. */
static json_int_t process_start(pid_t pid)
{
	HB_FREE char *path = hb_strf("/proc/%d/stat", (int)pid), *text = NULL;
	unsigned long long start;
	const char *p;
	char state;

	if (!path || hb_file_read(path, &text, NULL))
		return 0;
	/* The name in field 2 may hold anything; the fields after the last ')' are plain. */
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			 "%*d %llu",
			 &state, &start) != 2)
		return 0;
	/* A zombie waits for its parent alone. */
	return state == 'Z' ? 0 : start;
}

/* 0 and a new reference; -ENOENT without a note. */
static int note_load(const char *path, json_t **note, struct hb_error *e)
{
	HB_FREE char *text = NULL;
	json_error_t je;
	int rc = hb_file_read(path, &text, NULL);

	if (rc == -ENOENT)
		return rc;
	if (rc)
		return hb_error_set(e, rc, "%s: %s", path, strerror(-rc));
	*note = json_loads(text, 0, &je);
	if (json_integer_value(json_object_get(*note, "format")) == RESTORE_FORMAT &&
	    json_is_array(json_object_get(*note, "values")))
		return 0;
	json_decref(*note);
	*note = NULL;
	return hb_error_set(e, -EINVAL,
			    "%s is not a restore note of format %d; look into it, then remove it",
			    path, RESTORE_FORMAT);
}

static int note_store(const char *path, const json_t *note, struct hb_error *e)
{
	HB_FREE char *dir = strdup(path);
	int rc;

	if (!dir)
		return hb_error_set(e, -ENOMEM, "no memory");
	*strrchr(dir, '/') = '\0';
	rc = hb_mkdir_all(dir);
	if (!rc)
		rc = json_write(path, note, JSON_INDENT(2));
	return rc ? hb_error_set(e, rc, "cannot write the restore note %s: %s", path, strerror(-rc))
		  : 0;
}

static json_t *note_new(void)
{
	HB_FREE char *boot = hb_boot_id();

	return json_pack("{s:i, s:i, s:I, s:s, s:[]}", "format", RESTORE_FORMAT, "pid",
			 (int)getpid(), "start", process_start(getpid()), "boot_id",
			 boot ? boot : "", "values");
}

static bool note_has(const json_t *values, const char *file)
{
	const json_t *v;
	size_t i;

	json_array_foreach (values, i, v) {
		const char *p = json_string_value(json_object_get(v, "path"));

		if (p && !strcmp(p, file))
			return true;
	}
	return false;
}

static bool note_of_this_boot(const json_t *note)
{
	const char *noted = json_string_value(json_object_get(note, "boot_id"));
	HB_FREE char *boot = hb_boot_id();

	return noted && boot && !strcmp(noted, boot);
}

/* -EBUSY: another process that still runs has written the note. */
static int note_owner(const char *path, const json_t *note, struct hb_error *e)
{
	pid_t pid = json_integer_value(json_object_get(note, "pid"));
	json_int_t start = json_integer_value(json_object_get(note, "start"));

	if (!note_of_this_boot(note) || pid == getpid() || !start || process_start(pid) != start)
		return 0;
	return hb_error_set(e, -EBUSY, "process %d still runs with what %s notes; end it first",
			    (int)pid, path);
}

int restore_note(const char *path, const char *file, struct hb_error *e)
{
	HB_FREE char *value = hb_file_line(file);
	json_t *note = NULL, *values;
	int rc;

	if (!value)
		return hb_error_set(e, -EIO, "cannot read %s", file);
	rc = note_load(path, &note, e);
	if (rc == -ENOENT) {
		note = note_new();
		rc = note ? 0 : hb_error_set(e, -ENOMEM, "no memory");
	} else if (!rc) {
		rc = note_owner(path, note, e);
	}
	if (rc) {
		json_decref(note);
		return rc;
	}
	/* A note that a killed run left behind becomes ours, with the original values it has. */
	json_object_set_new(note, "pid", json_integer(getpid()));
	json_object_set_new(note, "start", json_integer(process_start(getpid())));
	values = json_object_get(note, "values");
	if (!note_has(values, file))
		json_array_append_new(values,
				      json_pack("{s:s, s:s}", "path", file, "value", value));
	rc = note_store(path, note, e);
	json_decref(note);
	return rc;
}

int restore_pending(const char *path, struct hb_error *e)
{
	json_t *note = NULL;
	int rc = note_load(path, &note, e);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = note_owner(path, note, e);
	json_decref(note);
	return rc ? rc : 1;
}

char *restore_text(const char *path)
{
	HB_FREE char *text = strdup("");
	json_t *note = NULL;
	const json_t *v;
	size_t i;

	if (note_load(path, &note, NULL))
		return NULL;
	json_array_foreach (json_object_get(note, "values"), i, v) {
		const char *file = json_string_value(json_object_get(v, "path"));
		const char *value = json_string_value(json_object_get(v, "value"));
		HB_FREE char *now = file ? hb_file_line(file) : NULL, *before = HB_STEAL(text);

		if (before)
			text = hb_strf("%s%s%s was %s and is %s", before, i ? ", " : "",
				       file ? file : "?", value ? value : "?", now ? now : "?");
	}
	json_decref(note);
	return HB_STEAL(text);
}

/* Only what a native run changes is written, whatever the note says: it may come from anybody. */
static bool path_allowed(const char *file)
{
	return file && !strstr(file, "/../") &&
	       (!strncmp(file, "/sys/devices/system/node/", 25) ||
		!strncmp(file, "/sys/kernel/mm/hugepages/", 25) ||
		!strncmp(file, "/proc/sys/vm/", 13));
}

/* Write @value and see that it is what the file has then. */
static int write_back(const char *file, const char *value, struct hb_error *e)
{
	for (int i = 0;; i++) {
		HB_FREE char *now = NULL;
		int rc = hb_file_write(file, value);

		if (rc)
			return hb_error_set(e, rc, "cannot write %s back to %s: %s", value, file,
					    strerror(-rc));
		now = hb_file_line(file);
		if (now && !strcmp(now, value))
			return 0;
		if (i == WRITE_TRIES)
			return hb_error_set(e, -EAGAIN,
					    "%s was %s and is %s still: a process uses huge pages",
					    file, value, now ? now : "?");
		hb_sleep_until_ns(hb_now_ns() + WRITE_PAUSE_NS);
	}
}

int restore_apply(const char *path, struct hb_error *e)
{
	json_t *note = NULL;
	const json_t *values;
	int rc = note_load(path, &note, e);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = note_owner(path, note, e);
	values = json_object_get(note, "values");
	for (size_t i = note_of_this_boot(note) ? json_array_size(values) : 0; i > 0 && !rc; i--) {
		const json_t *v = json_array_get(values, i - 1);
		const char *file = json_string_value(json_object_get(v, "path"));
		const char *value = json_string_value(json_object_get(v, "value"));

		if (!path_allowed(file) || !value)
			rc = hb_error_set(e, -EINVAL, "%s: entry %zu is not one that a run writes",
					  path, i);
		else
			rc = write_back(file, value, e);
	}
	json_decref(note);
	if (!rc && unlink(path))
		rc = hb_error_set(e, -errno, "cannot remove %s: %s", path, strerror(errno));
	return rc;
}
