// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/base/plain.h"
#include "bench/result/runfile.h"

/* Open @part in the directory @at, which is closed; a link is refused, a FIFO not waited for. */
static int step(int at, const char *part)
{
	int fd = -EINVAL;

	if (*part && strcmp(part, ".") && strcmp(part, "..")) {
		fd = openat(at, part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	close(at);
	return fd;
}

static int open_below(const char *dir, const char *name)
{
	HB_FREE char *copy = strdup(name);
	char *rest = copy, *part;
	int fd = copy ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		return copy ? -errno : -ENOMEM;
	while (fd >= 0 && (part = strsep(&rest, "/")))
		fd = step(fd, part);
	return fd;
}

int runfile_open(const char *dir, const char *name)
{
	int fd = open_below(dir, name);
	struct stat st;

	if (fd < 0 || (!fstat(fd, &st) && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	return -EINVAL;
}

int runfile_list(const char *dir, const char *name, int (*wanted)(const struct dirent *),
		 int (*order)(const struct dirent **, const struct dirent **),
		 struct dirent ***entries)
{
	HB_CLOSE int fd = open_below(dir, name);
	int n = fd < 0 ? fd : scandirat(fd, ".", entries, wanted, order);

	return fd >= 0 && n < 0 ? -errno : n;
}

/* A plan has an entry for every boot; nothing else grows with a run. */
static size_t most_of(const char *name)
{
	return strcmp(name, "plan.json") ? RUNFILE_MOST : RUNFILE_PLAN_MOST;
}

int runfile_read(const char *dir, const char *name, char **text, size_t *len)
{
	HB_CLOSE int fd = runfile_open(dir, name);
	HB_FREE char *buf = NULL;
	struct stat st;
	ssize_t n;

	*len = 0;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	if ((size_t)st.st_size > most_of(name))
		return -EFBIG;
	buf = malloc(st.st_size + 1);
	if (!buf)
		return -ENOMEM;
	for (; *len < (size_t)st.st_size; *len += n) {
		n = read(fd, buf + *len, st.st_size - *len);
		if (n < 0)
			return -errno;
		if (!n)
			break;
	}
	buf[*len] = '\0';
	*text = HB_STEAL(buf);
	return 0;
}

const char *runfile_reason(int err)
{
	switch (err) {
	case -ELOOP:
		return "a symbolic link, which is not followed in a run";
	case -EINVAL:
		return "not a plain file inside the run";
	case -EFBIG:
		return "larger than 16 MiB";
	default:
		return strerror(-err);
	}
}

static int cannot_read(const char *name, int err, struct hb_error *e)
{
	if (err == -EFBIG)
		return hb_error_set(e, err, "%s: larger than %zu MiB", name, most_of(name) >> 20);
	return hb_error_set(e, err, "%s: %s", name, runfile_reason(err));
}

static int parse(const char *name, const char *text, size_t len, json_t **out, struct hb_error *e)
{
	json_error_t where;
	int err;

	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	if (!*out)
		return hb_error_set(e, -EINVAL, "%s:%d: not valid JSON: %s", name, where.line,
				    where.text);
	err = json_is_object(*out) ? plain_json_check(*out, e)
				   : hb_error_set(e, -EINVAL, "not a JSON object");
	if (!err)
		return 0;
	json_decref(*out);
	*out = NULL;
	return hb_error_prefix(e, err, "%s", name);
}

int runfile_json(const char *dir, const char *name, json_t **out, struct hb_error *e)
{
	HB_FREE char *text = NULL;
	size_t len;
	int err = runfile_read(dir, name, &text, &len);

	*out = NULL;
	return err ? cannot_read(name, err, e) : parse(name, text, len, out, e);
}

int runfile_hist(const char *dir, const char *name, struct hist *h, struct hb_error *e)
{
	HB_FREE char *text = NULL;
	json_t *j;
	size_t len;
	int err = runfile_read(dir, name, &text, &len);

	if (err)
		return cannot_read(name, err, e);
	/* A zero byte is for parse() to find fault with: it must not end the text here. */
	if (strlen(text) == len && hist_take_buckets(h, text))
		len = strlen(text);
	err = parse(name, text, len, &j, e);
	if (err)
		return err;
	err = hist_complete(h, j, e);
	json_decref(j);
	return err ? hb_error_prefix(e, err, "%s", name) : 0;
}
