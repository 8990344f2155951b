# Two runs of one window meet: one loads, the other waits for it and then sees what it did. Runs of different windows,
# sources, templates or targets never wait for each other.
use strict;
use warnings;

use MeetingRuns;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

start_meeting();

# append: the second says that the first did it.
my %append = (%target, 'by method copy' => { method => q('copy') });
for my $how (sort keys %append)
{
	my %into = %{ $append{$how} };
	for my $case ([ error => 'PI001', '' ], [ skip => '00000', '0' ], [ run => '00000', '500' ])
	{
		my ($on_rerun, $sqlstate, $out) = @$case;
		my $name = "append, target $how, on_rerun $on_rerun";
		my $call = call('append', %into, on_rerun => "'$on_rerun'");
		start_anew();
		is($first->query_safe("BEGIN; $call"), 500, "$name: the first loads");
		my $second = start_second($name, $call);
		is($watcher->query_safe(<<~SQL), "Lock|transactionid|{$first_pid}", "$name: the wait is visible");
			SELECT wait_event_type, wait_event, pg_blocking_pids(pid) FROM pg_stat_activity WHERE application_name = 'second'
			SQL
		$first->query_safe('COMMIT');
		my $said = ends_with("$name: the second", $second, $sqlstate, $out);
		like($said, qr/already loaded.*run \d+ of .* wrote 500 rows/s, "$name: it names the first");
		rows_are($name, $on_rerun eq 'run' ? 1000 : 500);
	}

	# The first did not do it: the second does.
	for my $end ('ROLLBACK', 'ROLLBACK TO s; COMMIT')
	{
		my $name = "append, target $how, the first ends by $end";
		start_anew();
		is($first->query_safe('BEGIN; SAVEPOINT s;' . call('append', %into)), 500, "$name: the first loads");
		my $second = start_second($name, call('append', %into));
		$first->query_safe($end);
		ends_with("$name: the second loads", $second, '00000', 500);
		rows_are($name, 500);
	}
	for my $action ('cancel', 'terminate')
	{
		my $name = "append, target $how, $action of the first";
		start_anew();
		my $call = call('append', %into);
		my $slow = start_client($destination, 'slow', "WITH c AS MATERIALIZED ($call) SELECT pg_sleep(600) FROM c");
		my $sleeps = q(FROM pg_stat_activity WHERE application_name = 'slow' AND wait_event = 'PgSleep');
		ok(poll_session($watcher, "SELECT count(*) $sleeps", 1), "$name: the first has loaded");
		my $second = start_second($name, call('append', %into));
		$watcher->query_safe("SELECT pg_${action}_backend(pid) $sleeps");
		ends_with("$name: the first", $slow, $action eq 'cancel' ? '57014' : '57P01', '');
		ends_with("$name: the second loads", $second, '00000', 500);
		rows_are($name, 500);
	}
}

# The other modes run both, and the second reads a source that is not older than what the first read.
for my $how (sort keys %target)
{
	for my $mode (qw(skip upsert replace))
	{
		my $name = "$mode, target $how";
		my $reads = $how eq 'found' ? 'SELECT * FROM keyed WHERE day = $1' : $query;
		my %into = (query => $reads, $how eq 'named' ? (target => q('keyed')) : ());
		start_anew();
		my $table = $how eq 'found' ? 'keyed' : 'rows';
		is($first->query_safe('BEGIN;' . call($mode, %into)), 500, "$name: the first loads");
		my $second = start_second($name, call($mode, %into));
		$source->safe_psql('postgres', "INSERT INTO $table VALUES (1001, '$day', 1)");
		$source->safe_psql('postgres', "UPDATE $table SET v = 1 WHERE id <= 3") if $mode ne 'skip';
		$source->safe_psql('postgres', "DELETE FROM $table WHERE id = 4") if $mode eq 'replace';
		$first->query_safe('COMMIT');
		ends_with("$name: the second too", $second, '00000', { skip => 1, upsert => 4, replace => 500 }->{$mode});
		my $of_source = $source->safe_psql('postgres', "SELECT * FROM $table WHERE day = '$day' ORDER BY id");
		is($destination->safe_psql('postgres', 'SELECT * FROM keyed ORDER BY id'), $of_source, "$name: the newer state stays");
	}
}

# The second read its source before the first did, and was too slow to have to wait: the newer state stays all the same.
# A lock at the source holds up its query; the signal holds it up until the first is done.
{
	my $name = 'upsert, target found, overtaken';
	my $reads = 'SELECT * FROM keyed WHERE day = $1 AND NOT EXISTS (SELECT FROM gate)';
	my $call = call('upsert', query => $reads);
	start_anew();
	$source->safe_psql('postgres', 'UPDATE keyed SET v = 2');
	my ($locker) = open_session($source);
	$locker->query_safe('BEGIN; LOCK TABLE gate');
	my $slow = start_client($destination, 'slow', $call);
	ok(poll_session($locker, q(SELECT count(*) FROM pg_locks WHERE relation = 'gate'::regclass AND NOT granted), 1),
		"$name: the second has its snapshot of the source");
	my $pid = $watcher->query_safe(q(SELECT pid FROM pg_stat_activity WHERE application_name = 'slow'));
	kill 'STOP', $pid;
	$locker->query_safe('COMMIT');
	$source->safe_psql('postgres', 'UPDATE keyed SET v = 3');
	is($first->query_safe($call), 500, "$name: the first loads");
	kill 'CONT', $pid;
	$locker->quit;
	ends_with("$name: the second finds it done", $slow, '00000', 0);
	is($destination->safe_psql('postgres', 'SELECT DISTINCT v FROM keyed'), 3, "$name: the newer state stays");
}

# The same, after a run into the table of which the target is a partition, or into another partition of it. `settle` off: a run that
# looks takes a snapshot after that.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE parted (id int PRIMARY KEY, day date, v int) PARTITION BY RANGE (id);
	CREATE TABLE part_a PARTITION OF parted FOR VALUES FROM (0) TO (10);
	CREATE TABLE part_b PARTITION OF parted FOR VALUES FROM (10) TO (20);
	SQL
$source->safe_psql('postgres', 'CREATE TABLE part_a (LIKE rows); CREATE TABLE part_b (LIKE rows); GRANT SELECT ON part_a, part_b TO etl_reader');
for my $case ([ 'part_a', 'part_a' ], [ 'part_a', 'parted' ], [ 'part_b', 'part_b' ])
{
	my ($table, $into) = @$case;
	for my $begin ('', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM parted')
	{
		my $name = "replace, into part_a after $into, " . ($begin ? 'which the transaction does not see' : 'overtaken');
		my $slow_call = copy_sql('SELECT * FROM part_a WHERE day = $1 AND NOT EXISTS (SELECT FROM gate)', $day, mode => q('replace'), replace_where => q('day = $1'), settle => q('off'));
		$destination->safe_psql('postgres', 'TRUNCATE parted; DELETE FROM pgci_runs');
		$source->safe_psql('postgres', "TRUNCATE part_a, part_b; INSERT INTO part_a VALUES (1, '$day', 2); INSERT INTO part_b VALUES (11, '$day', 2)");
		my ($locker) = open_session($source);
		$locker->query_safe('BEGIN; LOCK TABLE gate');
		my $slow = start_client($destination, 'slow', ($begin ? split /; /, $begin : ()), $slow_call, $begin ? 'COMMIT' : ());
		ok(poll_session($locker, q(SELECT count(*) FROM pg_locks WHERE relation = 'gate'::regclass AND NOT granted), 1), "$name: it has its snapshot of the source");
		my $pid = $watcher->query_safe(q(SELECT pid FROM pg_stat_activity WHERE application_name = 'slow'));
		kill 'STOP', $pid;
		$locker->query_safe('COMMIT');
		$source->safe_psql('postgres', 'UPDATE part_a SET v = 3');
		is($first->query_safe(copy_sql("SELECT * FROM $table WHERE day = \$1", $day, mode => q('replace'), replace_where => q('day = $1'), target => "'$into'")), 1, "$name: the first loads");
		kill 'CONT', $pid;
		$locker->quit;
		ends_with("$name: the second", $slow, $begin && $into ne 'part_b' ? '40001' : '00000');
		is($destination->safe_psql('postgres', 'SELECT v FROM part_a'), 3, "$name: the newer state stays");
	}
}

# Who does not want to wait.
start_anew();
$first->query_safe('BEGIN;' . call('append', target => q('rows')));
fails_with($destination, "SET lock_timeout = '50ms'; " . call('append', target => q('rows')), '55P03', qr/lock timeout/,
	'lock_timeout');
fails_with($destination, "SET statement_timeout = '300ms'; " . call('append', target => q('rows')), '57014',
	qr/statement timeout/, 'statement_timeout');
fails_with($destination, "SET lock_timeout = '50ms'; SET timezone = 'UTC'; " . range_call("[$day, 2018-07-30)", 'UTC'), '55P03',
	qr/lock timeout/, 'a range of the same window is the same run');
is($watcher->query_safe($waiting), 0, 'who gave up waits no more');

sub range_call
{
	my ($range, $zone) = @_;
	my $call = call('append', target => q('rows'), time_zone => "'$zone'", query => 'SELECT * FROM rows WHERE day >= $1 AND day < $2');
	$call =~ s/copy_incremental\(/copy_incremental_range(/;
	$call =~ s/'$day'/'$range'/;
	return $call;
}

# Who need not wait, while the first is held open.
my $source_port = $source->port;
my $other_source = "'hostaddr=127.0.0.1 port=$source_port dbname=postgres user=etl_reader password=$TwoServers::password'";
for my $other (
	[ 'another day', call('append', target => q('rows'), day => '2018-07-30') ],
	[ 'another foreign server', call('append', target => q('rows'), src_conninfo => q('other_name')) ],
	[ 'a connection string', call('append', target => q('rows'), src_conninfo => $other_source) ],
	[ 'the next two days', range_call('[2018-07-30, 2018-08-01)', 'UTC') ],
	[ 'another target', call('append', target => q('keyed')) ])
{
	my ($name, $call) = @$other;
	my ($status, $out, $err) = $destination->psql('postgres', "SET lock_timeout = '1s'; BEGIN; $call");
	is("$status $err", '0 ', "$name does not wait");
}
# Who must wait: whose window overlaps.
for my $other (
	[ 'the day before and it', range_call('[2018-07-28, 2018-07-30)', 'UTC') ],
	[ 'the same day elsewhere', call('append', target => q('rows'), time_zone => q('Asia/Tokyo')) ],
	[ 'another template', call('append', target => q('rows'), query => "$query AND true") ],
	[ 'the whole table', copy_sql('SELECT * FROM rows', undef, target => q('rows')) ],
	[ 'mode replace from another source', call('replace', target => q('rows'), src_conninfo => $other_source) ])
{
	my ($name, $call) = @$other;
	fails_with($destination, "SET lock_timeout = '50ms'; BEGIN; $call", '55P03', qr/lock timeout/, "$name waits");
}
$first->query_safe('ROLLBACK');

# Both held open, and a third and a fourth that want the same two days the other way round.
{
	start_anew();
	my ($other) = open_session($destination);
	$first->query_safe('BEGIN;' . call('upsert', target => q('keyed')));
	$other->query_safe('BEGIN;' . call('upsert', target => q('keyed'), day => '2018-07-30'));
	$_->query_safe('COMMIT') for $other, $first;
	rows_are('two days side by side', 1000, 'keyed');
	$other->quit;
}

# Many at once.
for my $how (sort keys %target)
{
	start_anew();
	my @runs = map { start_client($destination, 'one of many', call('append', %{ $target{$how} })) } 1 .. 20;
	my %ended;
	$ended{ join ' ', (end_of_client($_))[ 0, 1 ] }++ for @runs;
	is(join(', ', map { "$_: $ended{$_}" } sort keys %ended), '00000 500: 1, PI001 : 19', "20 at once, target $how");
	rows_are("20 at once, target $how", 500);
	is($destination->safe_psql('postgres', 'SELECT count(*), sum(rows_written) FROM copy_incremental_runs'), '1|500',
		"20 at once, target $how: the ledger");
}
for my $mode (qw(skip upsert replace))
{
	start_anew();
	my @runs = map { start_client($destination, 'one of many', call($mode, target => q('keyed'))) } 1 .. 10;
	is(scalar(grep { (end_of_client($_))[0] eq '00000' } @runs), 10, "10 at once, $mode: all succeed");
	rows_are("10 at once, $mode", 500, 'keyed');
}

# A transaction that sees the database as it was before the first run cannot take part: it must not double the rows that
# it does not see.
for my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	for my $waits (0, 1)
	{
		for my $mode (qw(append skip upsert replace))
		{
			my $name = "$level, $mode, " . ($waits ? 'waits' : 'comes later');
			my $table = $mode =~ /skip|upsert/ ? 'keyed' : 'rows';
			my $call = call($mode, target => "'$table'");
			start_anew();
			$destination->safe_psql('postgres', "INSERT INTO $table VALUES (5000, '2018-01-01', 0)");
			$watcher->query_safe('SELECT pg_advisory_lock(42)');
			my $second = start_client($destination, 'second', "BEGIN ISOLATION LEVEL $level",
				"SELECT FROM $table LIMIT 1", 'SELECT FROM pg_advisory_xact_lock_shared(42)', $call, 'COMMIT');
			poll_session($watcher, q(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'), 1);
			$first->query_safe("BEGIN; $call");
			$first->query_safe('COMMIT') unless $waits;
			$watcher->query_safe('SELECT pg_advisory_unlock(42)');
			if ($waits)
			{
				ok(poll_session($watcher, $waiting, 1), "$name: it waits");
				$first->query_safe('COMMIT');
			}
			ends_with("$name: refused", $second, $mode eq 'append' ? 'PI001' : '40001');
			rows_are($name, 501, $table);
			next if $mode eq 'append';
			$destination->safe_psql('postgres', "BEGIN ISOLATION LEVEL $level; $call; COMMIT");
			rows_are("$name: again", 501, $table);
		}
	}
	my ($second) = open_session($destination);
	start_anew();
	$_->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM rows") for $first, $second;
	$first->query_safe(call('replace', target => q('rows')));
	$second->query_safe(call('replace', target => q('rows'), day => '2018-07-30'));
	$_->query_safe('COMMIT') for $first, $second;
	rows_are('REPEATABLE READ: two days side by side', 1000);
	is($first->query_safe('BEGIN ISOLATION LEVEL ' . $level . ';'
			  . (call('replace', target => q('rows')) . ';') x 2 . 'COMMIT; SELECT count(*) FROM rows'), "500\n500\n1000",
		"$level: twice in one transaction");
	$second->quit;
}

# Under SERIALIZABLE, windows that do not overlap conflict too, because runs read the record of runs. What fails can be repeated.
{
	start_anew();
	my @sessions = map { (open_session($destination))[0] } 0 .. 2;
	my @call = map { 'BEGIN ISOLATION LEVEL SERIALIZABLE; ' . call('append', target => q('rows'), on_rerun => q('error'), day => "2018-07-" . (29 + $_)) } 0 .. 2;
	$sessions[$_]->query_safe($call[$_]) for 0 .. 2;
	my (@failed, $all);
	for my $i (0 .. 2)
	{
		my ($state, $said) = outcome_of($sessions[$i], 'COMMIT');
		$all .= $said;
		push @failed, $i if $state eq '40001';
	}
	like($all, qr/HINT:  The transaction might succeed if retried/, 'SERIALIZABLE: windows that do not overlap: the hint') if @failed;
	is((outcome_of($sessions[$_], "$call[$_]; COMMIT"))[0], '00000', "SERIALIZABLE: repeated: $_") for @failed;
	rows_are('SERIALIZABLE: windows that do not overlap', 1000);
	$_->quit for @sessions;
}

no_session_left($source, 'no session is left at the source');
$destination->stop;
unlike(slurp_file($destination->logfile), qr/deadlock detected/, 'nobody ran into a deadlock');
done_testing();
