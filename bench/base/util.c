// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/base/plain.h"
#include "bench/base/util.h"

#define FILE_READ_MAX (64u << 20)

int hb_error_set(struct hb_error *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	plain_make(e->text);
	return code;
}

int hb_error_prefix(struct hb_error *e, int code, const char *fmt, ...)
{
	struct hb_error old;
	size_t used;
	va_list ap;

	if (!e)
		return code;
	old = *e;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof(e->text) - used, ": %s", old.text);
	plain_make(e->text);
	return code;
}

void hb_cleanup_free(void *p)
{
	free(*(void **)p);
}

void hb_cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void hb_cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

char *hb_strf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

int hb_set_text(char **field, char *text, struct hb_error *e)
{
	free(*field);
	*field = text;
	return text ? 0 : hb_error_set(e, -ENOMEM, "no memory");
}

int hb_file_read(const char *path, char **text, size_t *len)
{
	HB_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	HB_FREE char *buf = NULL;
	size_t used = 0, size = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (size - used < 2) {
			char *bigger;

			if (size >= FILE_READ_MAX)
				return -EFBIG;
			size = size ? size * 2 : 4096;
			bigger = realloc(buf, size);
			if (!bigger)
				return -ENOMEM;
			buf = bigger;
		}
		n = read(fd, buf + used, size - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		used += n;
	}
	buf[used] = '\0';
	if (len)
		*len = used;
	*text = HB_STEAL(buf);
	return 0;
}

char *hb_file_line(const char *path)
{
	char *text;

	if (hb_file_read(path, &text, NULL))
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

char *hb_boot_id(void)
{
	return hb_file_line("/proc/sys/kernel/random/boot_id");
}

int hb_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

int hb_file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	size_t len = strlen(text);
	ssize_t n;
	int err = 0;

	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		err = -errno;
	else if ((size_t)n != len)
		err = -EIO;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int hb_file_write_atomic(const char *path, const void *data, size_t len)
{
	HB_FREE char *tmp = hb_strf("%s.tmp.%ld", path, (long)getpid());
	int fd, err;

	if (!tmp)
		return -ENOMEM;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return -errno;
	err = hb_write_all(fd, data, len);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

bool hb_is_one_of(const char *text, const char *const *list)
{
	while (*list && strcmp(*list, text))
		list++;
	return *list;
}

int hb_parse_u64(const char *s, uint64_t *v)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	n = strtoull(s, &end, s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10);
	if (*end)
		return -EINVAL;
	if (errno)
		return -errno;
	*v = n;
	return 0;
}

int hb_file_read_u64(const char *path, uint64_t *value)
{
	HB_FREE char *text = NULL;
	int err = hb_file_read(path, &text, NULL);

	if (err)
		return err;
	text[strcspn(text, "\n")] = '\0';
	return hb_parse_u64(text, value);
}

int hb_text_number(const char *text, const char *key, uint64_t *value)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len) && line[len] == ':')
			return sscanf(line + len + 1, "%" SCNu64, value) == 1 ? 0 : -EBADMSG;
	}
	return -ENOENT;
}

int hb_file_number(const char *path, const char *key, uint64_t *value)
{
	HB_FREE char *text = NULL;
	int err = hb_file_read(path, &text, NULL);

	return err ? err : hb_text_number(text, key, value);
}

int hb_mkdir_all(const char *path)
{
	HB_FREE char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	if (!*copy)
		return -ENOENT;
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0777) && errno != EEXIST)
			return -errno;
		if (!c)
			break;
		*p = c;
	}
	return 0;
}

static int remove_at(int at, const char *name);

/* All entries of the open directory; how many there were, or an error. */
static int remove_entries(DIR *dir)
{
	struct dirent *entry;
	int n = 0, err = 0;

	rewinddir(dir);
	while (!err && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
			err = remove_at(dirfd(dir), entry->d_name);
			n++;
		}
	return err ? err : n;
}

/*
 * By handles: whoever owns a directory in the tree may put a link in its place at any time, and
 * what the link points at is never touched.
 */
static int remove_at(int at, const char *name)
{
	int fd, n;
	DIR *dir;

	if (!unlinkat(at, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		n = -errno;
		if (fd >= 0)
			close(fd);
		return n;
	}
	/* Reading a directory that changes may miss an entry. */
	do {
		n = remove_entries(dir);
	} while (n > 0);
	closedir(dir);
	return n < 0 ? n : unlinkat(at, name, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}

int hb_remove_all(const char *path)
{
	return remove_at(AT_FDCWD, path);
}

int hb_mkdir_empty(const char *path, struct hb_error *e)
{
	int rc = hb_remove_all(path);

	if (!rc)
		rc = hb_mkdir_all(path);
	return rc ? hb_error_set(e, rc, "cannot make %s: %s", path, strerror(-rc)) : 0;
}

uint64_t hb_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void hb_sleep_until_ns(uint64_t when)
{
	struct timespec ts = {
		.tv_sec = when / NSEC_PER_SEC,
		.tv_nsec = when % NSEC_PER_SEC,
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

int hb_shell_word(FILE *out, const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_-+=./:,@%";
	int n = 0;

	if (*word && strspn(word, safe) == strlen(word))
		return fprintf(out, "%s", word);
	n += fprintf(out, "'");
	for (; *word; word++)
		n += *word == '\'' ? fprintf(out, "'\\''") : fprintf(out, "%c", *word);
	return n + fprintf(out, "'");
}

uint64_t hb_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}
