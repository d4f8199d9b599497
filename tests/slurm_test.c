// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `hugebench slurm` on a real Slurm: munged, slurmctld and two slurmd, started here with a
 * configuration of their own on the loopback device, ended here. The cells are of mode native with
 * a fake agent; only the way through the cluster is looked at.
 */
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/host/child.h"
#include "bench/base/util.h"
#include "tests/run_command.h"
#include "tests/put.h"

#define PORT	17300
#define BLOCKS	12
#define WAIT_MS 120000

/* Four boots of three cells. */
static const char scenario[] = "[scenario]\nmode = native\nrepeat = 4\nseed = 7\nwarmup = 0\n"
			       "measure = 100ms\ninterval = 50ms\n[cell a]\nworkload = null\n"
			       "[cell b]\nworkload = null\n[cell c]\nworkload = null\n";

static const char configuration[] =
	"ClusterName=hugebench\nSlurmctldHost=%2$s(127.0.0.1)\nSlurmUser=%6$s\nSlurmdUser=%6$s\n"
	"AuthType=auth/munge\nAuthInfo=socket=%1$s/munge.socket\nCryptoType=crypto/munge\n"
	"StateSaveLocation=%1$s/state\nSlurmdSpoolDir=%1$s/spool-%%n\n"
	"SlurmctldPidFile=%1$s/slurmctld.pid\nSlurmdPidFile=%1$s/slurmd-%%n.pid\n"
	"SlurmctldPort=%3$d\nProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n"
	"SwitchType=switch/none\nMpiDefault=none\nSelectType=select/linear\n"
	"SchedulerType=sched/backfill\nSchedulerParameters=sched_interval=1,batch_sched_delay=0\n"
	"ReturnToService=2\nKillWait=2\nMinJobAge=600\n"
	"NodeName=one NodeHostname=%2$s NodeAddr=127.0.0.1 Port=%4$d\n"
	"NodeName=two NodeHostname=%2$s NodeAddr=127.0.0.1 Port=%5$d\n"
	"PartitionName=all Nodes=one,two Default=YES State=UP\n";

static pid_t daemons[4];
static char *cluster; /* directory of the daemons */

/* In the foreground; it dies with the test. */
static void daemon_start(size_t i, char *const argv[])
{
	HB_FREE char *log = hb_strf("%s/%s-%zu.out", cluster, argv[0], i);

	daemons[i] = fork();
	assert_true(daemons[i] >= 0);
	if (!daemons[i]) {
		int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
			_exit(99);
		execvp(argv[0], argv);
		_exit(98);
	}
}

/* Has `sh -c @command` the exit status 0 within WAIT_MS? */
static void wait_until(const char *command)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};

	for (int ms = 0; ms < WAIT_MS; ms += 100, usleep(100000))
		if (!child_do(argv, -1))
			return;
	fail_msg("never so: %s", command);
}

static void shell(const char *command)
{
	char *argv[] = {(char *)"sh", (char *)"-ec", (char *)command, NULL};

	assert_int_equal(child_do(argv, -1), 0);
}

static void munge_start(void)
{
	HB_FREE char *key = hb_strf("--key-file=%s/munge.key", cluster);
	HB_FREE char *socket = hb_strf("--socket=%s/munge.socket", cluster);
	HB_FREE char *pid = hb_strf("--pid-file=%s/munged.pid", cluster);
	HB_FREE char *seed = hb_strf("--seed-file=%s/munge.seed", cluster);
	HB_FREE char *there = hb_strf("test -S %s/munge.socket", cluster);
	char *argv[] = {(char *)"munged",
			(char *)"--foreground",
			(char *)"--force",
			key,
			socket,
			pid,
			seed,
			NULL};
	unsigned char secret[128];
	int fd = open(key + strlen("--key-file="), O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(getrandom(secret, sizeof(secret), 0), sizeof(secret));
	assert_int_equal(hb_write_all(fd, secret, sizeof(secret)), 0);
	close(fd);
	daemon_start(0, argv);
	wait_until(there);
}

static void slurm_start(void)
{
	char *control[] = {(char *)"slurmctld", (char *)"-D", NULL};
	char *one[] = {(char *)"slurmd", (char *)"-D", (char *)"-N", (char *)"one", NULL};
	char *two[] = {(char *)"slurmd", (char *)"-D", (char *)"-N", (char *)"two", NULL};
	HB_FREE char *path = hb_strf("%s/slurm.conf", cluster);
	HB_FREE char *state = hb_strf("%s/state", cluster), *text = NULL;
	char host[HOST_NAME_MAX + 1] = "";

	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	host[strcspn(host, ".")] = 0;
	assert_int_equal(hb_mkdir_all(state), 0);
	text = hb_strf(configuration, cluster, host, PORT, PORT + 1, PORT + 2,
		       getpwuid(geteuid())->pw_name);
	put_file(text, "%s", path);
	setenv("SLURM_CONF", path, 1);
	daemon_start(1, control);
	daemon_start(2, one);
	daemon_start(3, two);
	wait_until("test $(sinfo -hN -o %T | grep -c idle) = 2");
}

/* The command beside the fake agent, as a user has it beside the real one. */
static void install(void)
{
	HB_FREE char *from = path_of("bin"), *copy = NULL;

	assert_int_equal(hb_mkdir_all(from), 0);
	copy = hb_strf("cp $(dirname %s)/../hugebench %s/; cp %s %s/hugebench-agent", command_agent,
		       from, command_agent, from);
	shell(copy);
	command_use(from);
}

static int setup(void **state)
{
	if (command_setup(state))
		return -1;
	/* Slurm wants a directory that only its user may write to. */
	cluster = path_of("cluster");
	if (hb_mkdir_all(cluster) || chmod(cluster, 0755))
		return -1;
	munge_start();
	slurm_start();
	install();
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = ARRAY_SIZE(daemons); i-- > 0;) {
		if (daemons[i] <= 0)
			continue;
		kill(daemons[i], SIGTERM);
		waitpid(daemons[i], NULL, 0);
	}
	free(cluster);
	return command_teardown(state);
}

/* Ids of the jobs, of "jobs: prepare 1, blocks 2, merge 3". */
static void submit(const char *run, char blocks[16], char merge[16])
{
	HB_FREE char *output = path_of("output"), *text = NULL;
	const char *said;

	expect_command("slurm", 0, "jobs: prepare ", run);
	assert_int_equal(hb_file_read(output, &text, NULL), 0);
	said = strstr(text, "blocks ");
	assert_non_null(said);
	assert_int_equal(sscanf(said, "blocks %15[0-9], merge %15[0-9]", blocks, merge), 2);
}

static void wait_for_job(const char *job)
{
	HB_FREE char *over = hb_strf("test -z \"$(squeue -h -j %s 2>/dev/null)\"", job);

	wait_until(over);
}

/* Of how many machines do the boots tell? */
static void machines_are(const char *run, unsigned int n)
{
	HB_FREE char *command = hb_strf(
		"test $(grep -h '\"host_id\"' %s/%s/cells/*/cell.json | sort -u | wc -l) = %u",
		command_results, run, n);

	shell(command);
}

static char *summary_of(const char *run)
{
	HB_FREE char *path = path_of("results/%s/summary.csv", run);
	char *text = NULL;

	assert_int_equal(hb_file_read(path, &text, NULL), 0);
	return text;
}

static void script_is_printed(void **state)
{
	(void)state;
	write_scenario(scenario);
	expect_command("plan", 0, "12 blocks are planned", "-s!", "--name", "dry");
	expect_command("slurm", 0, "--array=1-12 --exclusive --requeue", "--dry-run", "dry");
	expect_command("slurm", 0, "set -- -p all '--comment=two words'", "--dry-run", "dry", "--",
		       "-p", "all", "--comment=two words");
	expect_run(0, "", "--name", "dry", "--block", "5");
	expect_command("slurm", 0, "--array=1-4,6-12 ", "--dry-run", "dry");
	expect_command("slurm", 2, "was not submitted from here", "--status", "dry");
	expect_command("slurm", 2, "there is no run none", "none");
	expect_command("slurm", 3, "sbatch refused it", "dry", "--", "--partition=none");
}

/* One block is killed, a node is drained and resumed meanwhile. */
static void blocks_that_were_lost_are_done_again(void **state)
{
	char blocks[16], merge[16];
	HB_FREE char *begun = NULL, *kill_one = NULL, *started = NULL, *whole = NULL,
		     *spread = NULL;

	(void)state;
	expect_command("plan", 0, "12 blocks are planned", "-s!", "--name", "spread");
	setenv("fake", "slower", 1);
	submit("spread", blocks, merge);
	unsetenv("fake");
	/* One that measures: a job that is only being started lets a signal pass. With one arm the
	 * number of a cell is that of its block. */
	begun = hb_strf(
		"ls -A %s/spread/cells | sed -n 's/^\\.new-0*\\([0-9]*\\)-.*/\\1/p' | head -1",
		command_results);
	started = hb_strf("test -n \"$(%s)\"", begun);
	wait_until(started);
	/* By the host, as the out-of-memory killer would do it. */
	kill_one =
		hb_strf("kill -KILL $(pgrep -f -- \"--results %s --name spread --block $(%s)\\$\")",
			command_results, begun);
	shell(kill_one);
	shell("scontrol update NodeName=two State=DRAIN Reason=test");
	wait_until("sinfo -hn two -o %T | grep -q drained");
	shell("scontrol update NodeName=two State=RESUME");
	wait_for_job(merge);
	expect_command("slurm", 0, "11 of 12 blocks are done", "--status", "spread");
	expect_command("merge", 1, "1 blocks are missing", "spread");

	submit("spread", blocks, merge);
	wait_for_job(merge);
	expect_command("slurm", 0, "12 of 12 blocks are done", "--status", "spread");
	status_is("spread", "finished");
	assert_int_equal(cells_of("spread", true), 0);
	machines_are("spread", 2);
	expect_command("slurm", 2, "has all of its blocks", "spread");

	/* The same plan on one machine. */
	expect_run(0, "report.txt", "-s!", "--name", "whole");
	whole = summary_of("whole");
	spread = summary_of("spread");
	assert_string_equal(whole, spread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(script_is_printed),
		cmocka_unit_test(blocks_that_were_lost_are_done_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
