# FETCHes in a pipeline: batches of every size, a source that stalls, cancels and errors with many FETCHes in flight, how
# many are in flight and how many rows they ask for, the bound in bytes, and private memory.
use strict;
use warnings;

use FaultyProxy;
use List::Util qw(max min);
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;
use Time::HiRes qw(usleep);

my ($source, $destination) = start_servers();
my $folder = PostgreSQL::Test::Utils::tempdir();
my $fetches = "$folder/fetches";
my $proxy = start_faulty_proxy($source->port, $fetches);

$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows AS SELECT i AS id, 'row ' || i AS v, i * 1.5 AS n, nullif(i % 7, 0) AS k FROM generate_series(1, 10000) AS i;
	CREATE FUNCTION speak(id int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
	  FOR i IN 1 .. 20 LOOP RAISE NOTICE 'row % %', id, repeat('x', 200); END LOOP;
	  RETURN id;
	END $$;
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int, v text, n numeric, k int);
	CREATE TABLE slow (id int);
	CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
	CREATE TRIGGER sleep BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION sleep();
	CREATE TABLE paced (id int);
	CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END';
	CREATE TRIGGER pause BEFORE INSERT ON paced FOR EACH ROW WHEN (NEW.id % 100 = 0) EXECUTE FUNCTION pause();
	CREATE TABLE nothing (id int, v text);
	CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER skip BEFORE INSERT ON nothing FOR EACH ROW EXECUTE FUNCTION skip();
	SQL
my $checksum = 'SELECT count(*), sum(hashtextextended(r::text, 0)) FROM rows AS r';
my $truth = $source->safe_psql('postgres', $checksum);
my ($session, $pid) = open_session($destination);
my ($at_source) = open_session($source);
my ($at_destination) = open_session($destination);
my $no_session = "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'etl_reader'";

# The call over the proxy, with this fault.
sub over_proxy
{
	my ($fault, $query, %argument) = @_;
	my $conninfo = sprintf "host=127.0.0.1 port=%d dbname=postgres user=etl_reader password=%s sslmode=disable application_name='%s'",
	  $proxy->port, $TwoServers::password, $fault;
	return copy_sql($query, undef, src_conninfo => "\$c\$$conninfo\$c\$", %argument);
}

# The FETCHes of the runs since the last time, as [rows, in flight].
sub fetches_seen
{
	my @lines = -e $fetches ? split /\n/, slurp_file($fetches) : ();
	unlink $fetches;
	return map { [ split / / ] } @lines;
}

# Runs SQL in the session; returns what it printed, or "SQLSTATE message".
sub outcome
{
	my ($sql) = @_;
	my $out = $session->query($sql);
	my $said = $session->{stderr};
	$session->{stderr} = '';
	return $said =~ /ERROR:  (\w{5}: .*)/ ? $1 : $out;
}

# Starts a call, waits until the source is in a state, cancels it, and tests that this ended it, that nothing is written,
# and that nothing is left at the source.
sub is_cancelled
{
	my ($name, $target, $call, $state, $after) = @_;
	$session->query_safe("TRUNCATE $target");
	start_call($session, $call);
	ok($state->(), "$name: it runs");
	$destination->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	my ($sqlstate, $said) = end_of_call($session);
	is($sqlstate, '57014', "$name: cancelled") or diag($said);
	$after->() if $after;
	ok(poll_session($at_source, $no_session), "$name: no session and no query is left at the source");
	is(outcome("SELECT count(*) FROM $target"), 0, "$name: nothing is written");
	return;
}

# Has a session of etl_reader this state?
sub source_is
{
	my ($state) = @_;
	return sub { return poll_session($at_source, "SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'etl_reader' AND $state") };
}

# Have so many FETCHes been sent since the last look?
sub are_sent
{
	my ($count) = @_;
	return sub {
		for (1 .. 180 * 50)
		{
			return 1 if -e $fetches && (() = slurp_file($fetches) =~ /\n/g) >= $count;
			usleep(20_000);
		}
		return 0;
	};
}

sub copies_all
{
	my ($name, $call, $rows) = @_;
	is(outcome("TRUNCATE rows; $call; $checksum"), ($rows // 10000) . "\n$truth", $name);
	return;
}

# Batches of every size, and the ledger's count of them.
for my $case ([ 1, 10000 ], [ 7, 1429 ], [ 2000, 5 ], [ 9999, 2 ], [ 10000, 1 ], [ 1000000, 1 ])
{
	my ($batch, $batches) = @$case;
	copies_all("batches of $batch", copy_sql('TABLE rows', undef, batch => $batch));
	is(outcome('SELECT batches FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1'), $batches, "batches of $batch: so many");
}

# How many FETCHes are in flight, and what it is good for.
copies_all('over a long line', over_proxy('delay 20', 'TABLE rows', batch => 100));
my @seen = fetches_seen();
my $deepest = max map { $_->[1] } @seen;
cmp_ok($deepest, '>=', 16, "with a round trip of 20 ms the FETCHes in flight become many ($deepest)");
cmp_ok(scalar(@seen), '<=', 8 + 3 * 101, 'and those asked for in vain are no more than the first 8 and twice those of use (' . @seen . ' for 101)');
outcome(over_proxy('pass', 'SELECT id FROM rows ORDER BY id', batch => 100, target => "'paced'"));
$deepest = max map { $_->[1] } fetches_seen();
# Each wait for the source doubles them, and a machine with other work may stall the source once or twice.
cmp_ok($deepest, '<=', 32, "where the target is slower than the source they stay few ($deepest)");
is(outcome('SELECT count(*) FROM paced'), 10000, 'and all rows arrive');
copies_all('batches of 1 over a long line', over_proxy('delay 20', 'TABLE rows', batch => 1));
$deepest = max map { $_->[1] } fetches_seen();
cmp_ok($deepest, '<=', 512, "however short they are, they are bounded in number ($deepest)");

# A source that stalls: by itself, or stopped from outside; cancelled, or going on.
my $stalls = 'SELECT id, CASE WHEN id > 5000 THEN pg_sleep(600) END::text AS v FROM rows';
is_cancelled('a source that sleeps in the middle', 'rows', copy_sql($stalls, undef, batch => 300, target => "'rows'"),
	source_is("wait_event = 'PgSleep'"));
is_cancelled('many FETCHes in flight', 'rows', over_proxy('delay 20', $stalls, batch => 100, target => "'rows'"),
	source_is("wait_event = 'PgSleep'"));
cmp_ok(max(map { $_->[1] } fetches_seen()), '>=', 16, 'many FETCHes in flight: there were');
is_cancelled('FETCHes of a source that never ends', 'slow',
	over_proxy('delay 20', 'SELECT generate_series(1, 1000000000) AS id', batch => 100, target => "'slow'"), are_sent(2));
fetches_seen();
my $stopped;
my $stop = sub {
	source_is("query LIKE 'FETCH%'")->() or return 0;
	$stopped = $at_source->query_safe("SELECT pid FROM pg_stat_activity WHERE usename = 'etl_reader'");
	return kill 'STOP', $stopped;
};
my $endless = 'SELECT generate_series(1, 1000000000) AS id';
is_cancelled('a source that is stopped', 'rows', copy_sql($endless, undef, batch => 100, target => "'rows'"), $stop,
	sub { kill 'CONT', $stopped });
$session->query_safe('CREATE TABLE wider (LIKE rows); ALTER TABLE wider ADD w bool');
start_call($session, copy_sql('SELECT r.*, CASE WHEN id % 50 = 0 THEN pg_sleep(0.005) END IS NULL AS w FROM rows AS r', undef, batch => 100, target => "'wider'"));
ok($stop->(), 'a source that is stopped for a moment');
usleep(300_000);
kill 'CONT', $stopped;
is(outcome('SELECT 1'), "10000\n1", 'goes on when it goes on');
is(outcome($checksum =~ s/FROM rows/FROM (SELECT id, v, n, k FROM wider)/r), $truth, 'with all rows');

# An error of the source is the first one, not what the FETCHes behind it run into.
for my $case ([ 2000, 'pass' ], [ 300, 'delay 20' ], [ 1, 'pass' ], [ 1000000, 'pass' ])
{
	my ($batch, $fault) = @$case;
	is(outcome('TRUNCATE rows; ' . over_proxy($fault, 'SELECT 1 / (id - 5001) AS k, id FROM rows', batch => $batch,
				target => "'rows'") . '; SELECT count(*) FROM rows'), '22012: division by zero', "an error in row 5001, batches of $batch");
	is(outcome('SELECT count(*) FROM rows'), 0, 'nothing is written');
}
ok(poll_session($at_source, $no_session), 'no session is left at the source');
fetches_seen();
is(outcome('TRUNCATE rows; ' . copy_sql('SELECT speak(id) AS id, v, n, k FROM rows', undef, batch => 500, target => "'rows'") . "; $checksum"),
	"10000\n$truth", 'a flood of notices');

# Wide rows make FETCHes small, and narrow rows let them grow again.
$session->query_safe("SET copy_incremental.max_batch_bytes = '512kB'");
my $width = q[CASE WHEN i BETWEEN 101 AND 1100 THEN 50000 ELSE 1 END];
is(outcome(over_proxy('pass', "SELECT i AS id, repeat('x', $width) AS v FROM generate_series(1, 8000) AS i", batch => 50,
			target => "'nothing'")), 0, 'narrow rows, wide rows, narrow rows');
my @asked = map { $_->[0] } fetches_seen();
is($asked[0], 50, 'the first FETCH asks for a batch');
cmp_ok(min(@asked), '<=', 11, 'wide rows: fewer are asked for (' . min(@asked) . ')');
is($asked[-1], 50, 'narrow rows: a batch again');
note('asked for: ' . join ' ', @asked);
is(outcome('SELECT rows_read FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1'), 8000, 'all rows were read');

# The bound in bytes ends a batch before it is full; a row that is larger than the bound still travels.
$session->query_safe('CREATE TABLE wide (id int, v text)');
my $last = 'SELECT rows_read, rows_written, batches FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1';
for my $case ([ '1MB', 100_000, 100, 10, 'batches end at the bound' ], [ '1GB', 100_000, 100, 1, 'a bound that is far' ],
	[ '64kB', 5_000_000, 3, 3, 'rows that are larger than the bound' ])
{
	my ($bound, $bytes, $rows, $batches, $name) = @$case;
	$session->query_safe("SET copy_incremental.max_batch_bytes = '$bound'; TRUNCATE wide");
	is(outcome(copy_sql("SELECT i AS id, repeat('x', $bytes) AS v FROM generate_series(1, $rows) AS i", undef, target => "'wide'")
			  . "; $last; SELECT count(DISTINCT id), min(length(v)), max(length(v)) FROM wide"),
		"$rows\n$rows|$rows|$batches\n$rows|$bytes|$bytes", $name);
}
$session->query_safe('RESET copy_incremental.max_batch_bytes');

# The most private memory that a new backend had while it ran a call, in MB.
sub most_memory
{
	my ($query) = @_;
	my ($fresh, $its_pid) = open_session($destination);
	start_call($fresh, copy_sql($query, undef, target => "'nothing'"));
	my ($most, $is_running) = (0, 1);
	while ($is_running)
	{
		$is_running = $at_destination->query_safe(
			"SELECT state <> 'idle' OR query NOT LIKE '%copy_incremental(%' FROM pg_stat_activity WHERE pid = $its_pid") eq 't';
		my ($kilobytes) = slurp_file("/proc/$its_pid/status") =~ /^RssAnon:\s+(\d+) kB/m;
		$most = max $most, $kilobytes / 1024;
		usleep(5_000);
	}
	my ($rows) = $query =~ /generate_series\(1, (\d+)\)/;
	is($fresh->query_safe('SELECT rows_read FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1'), "0\n$rows", "memory: $query");
	$fresh->quit;
	return $most;
}

SKIP:
{
	skip 'needs RssAnon in /proc', 1 unless -r "/proc/$$/status" && slurp_file("/proc/$$/status") =~ /^RssAnon/m;
	skip 'a sanitizer has its own memory', 1 if $ENV{ASAN_OPTIONS};
	for my $case ([ 'rows of 10 MB', 10_000_000, 30, 300, 40, 150 ], [ 'narrow rows', 10, 10_000, 300_000, 4, 50 ])
	{
		my ($name, $bytes, $few, $many, $tolerance, $bound) = @$case;
		my ($small, $large) = map { most_memory("SELECT i AS id, repeat('x', $bytes) AS v FROM generate_series(1, $_) AS i") } $few, $many;
		diag(sprintf '%s: %.1f MB of private memory with %d, %.1f MB with %d', $name, $small, $few, $large, $many);
		cmp_ok($large, '<', $small + $tolerance, "$name: many take no more memory than few");
		cmp_ok($large, '<', $bound, "$name: private memory is bounded");
	}
}

ok(poll_session($at_source, $no_session), 'no session is left at the source');
$_->quit for $session, $at_source, $at_destination;
done_testing();
