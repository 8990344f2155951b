# Kills, lost sources, cancels and full disks at random moments of a run, in every mode and by every method: the target is as
# it was, or holds the whole batches that the ledger speaks of; the same call again makes it equal to the source.
# test/lib/RandomMoments.pm says what a moment is, and how to repeat or multiply them.
use strict;
use warnings;

use List::Util qw(sum);
use PostgreSQL::Test::Utils;
use RandomMoments;
use TwoServers;
use Test::More;

start_random_moments();

# All backends of the runs are killed at once; the server restarts.
for my $round (1 .. $rounds)
{
	prepare();
	my %moment = draw_moments($round, @kinds);
	my $client = start_runs(\%moment);
	crash($destination, backends($at_destination, $of_runs));
	let_go();
	exact_after('backend killed', \%moment, $client);
}

# The source's backends are terminated, or killed with the whole source.
for my $round (1 .. $rounds)
{
	prepare();
	my %moment = draw_moments($round, @kinds);
	my $client = start_runs(\%moment);
	my $fault = $round % 2 ? 'source terminated' : 'source killed';
	crash($source, backends($at_source, $of_reader)) if $fault eq 'source killed';
	signal_backends($source, 'terminate', $of_reader) if $fault eq 'source terminated';
	let_go();
	exact_after($fault, \%moment, $client);
}

for my $round (1 .. $rounds)
{
	prepare();
	my %moment = draw_moments($round, @kinds);
	my $client = start_runs(\%moment);
	signal_backends($destination, 'cancel', $of_runs);
	let_go();
	exact_after('cancelled', \%moment, $client);
}

# A disk that fills up, without the right to mount a small one: a limit on the size of files (RLIMIT_FSIZE), set on the
# backend of the run, ends the growth of its table in the middle of a page, as ENOSPC does; the server answers to both
# with 53100. The limit is above the 1 MB of a WAL segment: a disk that is full for WAL is a crash of the server, for
# which the kills above stand.
for my $round (1 .. $rounds)
{
	prepare();
	my %moment = map { $_ => { kind => 'source', row => 1 } } @modes;
	my $client = start_runs(\%moment);
	for my $mode (@modes)
	{
		my ($pid) = backends($at_destination, "application_name = 'run $mode'");
		my $now = $destination->safe_psql('postgres', "SELECT pg_relation_size('$mode')");
		my $least = $now > 1_100_000 ? $now : 1_100_000;
		my $largest = 220 * $all;    # bytes, less than the table of any mode ends in
		my $page = int(($least + rand($largest - $least)) / 8192);
		my $limit = $page * 8192 + 4096;
		system_or_bail('prlimit', '--pid', $pid, "--fsize=$limit");
		$moment{$mode}{kind} = 'page';
		$moment{$mode}{row} = $page;
	}
	let_go();
	exact_after('disk full', \%moment, $client);
}

# A full disk at the source: no room for the temporary files of its sort, stood for by temp_file_limit.
{
	prepare();
	my $limit = 64 + int(rand(1300));
	$source->safe_psql('postgres', "ALTER ROLE etl_reader SET $_") for 'enable_indexscan = off', 'work_mem = 64',
	  "temp_file_limit = $limit";
	my %moment = map { $_ => { kind => 'source', row => 1 } } @modes;
	my $client = start_runs(\%moment);
	let_go();
	exact_after('disk full at the source', \%moment, $client);
}

for my $fault (sort keys %moments)
{
	my $count = $moments{$fault};
	note(sprintf '%s: %d moments (%s), SQLSTATEs %s', $fault, sum(@{$count}{@modes}),
		join(', ', map { "$_ $count->{$_}" } @modes),
		join(', ', map { "$_ $count->{states}{$_}" } sort keys %{ $count->{states} }));
}
diag(sprintf '%d moments, %d rows: every target as before or complete, every second run exact', sum(map { @{$_}{@modes} } values %moments), $all)
  if Test::More->builder->is_passing;

# The client dies between COMMIT and the answer: it cannot know, but the ledger does.
prepare();
my $client = start_run('append', { kind => 'commit', row => 3 });
ok(poll_session($at_destination, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'", 1),
	'client lost: the call waits in COMMIT');
my $psql = $client->{run}{KIDS}[0]{PID};
kill 'STOP', $psql;
let_go();
ok(wait_until($destination, "SELECT count(*) = 1 FROM copy_incremental_runs WHERE status = 'succeeded'"),
	'client lost: committed');
kill 'KILL', $psql;
is((end_of_client($client))[1], '', 'client lost: it had no answer');
fails_with($destination, call('append'), 'PI001', qr/was already loaded/, 'client lost: again');
is(difference('append', $all), 0, 'client lost: exact');

$_->stop for $source, $destination;
kills_were_ours($source, int($rounds / 2), 'the source lost the killed processes and no other');
kills_were_ours($destination, $rounds, 'the destination lost the killed processes and no other');
done_testing();
