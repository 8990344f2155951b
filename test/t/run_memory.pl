# A call of four times the size needs no more memory: rejects, verify, batches, backfill, wait().
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

plan skip_all => 'needs /proc' unless -r "/proc/$$/smaps_rollup";
plan skip_all => 'memory that was freed is kept' if $ENV{ASAN_OPTIONS} || $ENV{VALGRIND};

# PG_TEST_EXTRA=long: sizes of real life, which take many minutes.
my $is_long = ($ENV{PG_TEST_EXTRA} // '') =~ /\blong\b/;

# After an ANALYZE by autovacuum, a session plans again, and its plans may take more memory.
my ($source, $destination) = start_servers(destination => "fsync = off\nautovacuum = off\n", source => "fsync = off\n");
my $fast = "'host=127.0.0.1 dbname=postgres port=" . $source->port . " user=etl_trusted'";

$source->safe_psql('postgres', "CREATE TYPE mood AS ENUM ('good', 'bad')");
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TYPE mood AS ENUM ('good');
	CREATE TABLE moods (id int, mood mood);
	CREATE TABLE positive (id int CHECK (id > 0), note text);
	CREATE TABLE codes (code int PRIMARY KEY);
	CREATE TABLE known (id int REFERENCES codes, note text);
	CREATE TABLE plain (id int, note text);
	CREATE TABLE keyed (id int PRIMARY KEY, note text);
	CREATE TABLE empty (id int PRIMARY KEY, note text);
	CREATE TABLE repaired (id int PRIMARY KEY, note text);
	CREATE TABLE dated (at date, note text);
	CREATE TABLE of_days (at date, note text);
	SQL

# The largest private memory of a backend, in kB, while a call runs in it and at its end; how long it took, its error, and how
# often the memory was read.
sub peak_of_call
{
	my ($session, $pid, $sql) = @_;
	my ($peak, $reads, $begin) = (0, 0, time);
	start_call($session, "$sql;\n\\echo call ends");
	until ($session->{stdout} =~ /^call ends;?$/m)
	{
		$session->{run}->pump_nb;
		my (undef, $memory) = usage($pid);
		$peak = $memory if $memory > $peak;
		$reads++;
		usleep(2000);
	}
	my $error = $session->{stderr} =~ s/.*?((?:ERROR.*)?)$/$1/sr;
	$session->{stdout} = $session->{stderr} = '';
	return ($peak, time - $begin, $error, $reads);
}

# The same, of a second or third call if other load kept this process from reading the memory while a call ran.
sub peak
{
	my @peak;
	for (1 .. 3)
	{
		@peak = peak_of_call(@_);
		last if $peak[3] >= 10;
	}
	return @peak;
}

# Name, size, a fourth of the size with PG_TEST_EXTRA=long, kB by which four times the size may exceed it, a call of a size.
my $numbers = 'FROM generate_series(1, %d) AS g';
sub from_source { my ($select, @more) = @_; return sub { copy_sql(sprintf("$select $numbers", $_[0]), undef, src_conninfo => $fast, @more) }; }
sub batches_of { my ($call) = @_; return sub { by_batches($call->(@_)) }; }
sub verify_sql
{
	my ($verb, $what, $select) = @_;
	my @of_job = (src_conninfo => $fast, target => "'empty'", mode => "'upsert'", verify => 'true', replace_where => q($$'{}' <> ''$$));
	return sub { job_sql($verb, sprintf("SELECT $select $numbers WHERE '{}' <> ''", $_[0]), '2001-01-01', @of_job) =~ s/SELECT \* FROM (copy_incremental_verify)/SELECT $what FROM $1/r };
}
my @reject = (on_error => "'reject'", batch => 1000);
my $note = q(g AS id, 'row ' || g AS note);
my @dated = (src_conninfo => $fast, target => "'dated'", on_rerun => "'run'");
my @kinds = (
	[ 'rejects of a conversion', 2000, 500_000, 1024, from_source(q(SELECT g AS id, (CASE WHEN g > 0 THEN 'bad' END)::mood AS mood), target => "'moods'", @reject) ],
	[ 'rejects of a constraint', 2000, 500_000, 1024, from_source(q(SELECT -g AS id, 'a note' AS note), target => "'positive'", @reject) ],
	[ 'rejects among good rows', 2000, 250_000, 1024, from_source(q(SELECT CASE g % 3 WHEN 0 THEN -g ELSE g END AS id, 'a note' AS note), target => "'positive'", @reject) ],
	[ 'rejects of a foreign key', 2000, 100_000, 1024, from_source(q(SELECT g AS id, 'a note' AS note), target => "'known'", @reject) ],
	[ 'a large batch of rejects', 2000, 100_000, 4096, from_source(q(SELECT -g AS id, 'a note' AS note), target => "'positive'", @reject, batch => 1_000_000) ],
	[ 'rejects by batches', 600, 50_000, 128, batches_of(from_source(q(SELECT -g AS id, 'a note' AS note), target => "'positive'", @reject, batch => 10)) ],
	# All buckets of the comparison have rows. PostgreSQL 18 takes 1.7 MB more for its sort, whether there are 240,000 rows or 2,000,000.
	[ 'verify of rows that differ', 60_000, 500_000, 2048, verify_sql('verify', '*', q(g AS id, '1' AS note)) ],
	[ 'verify_rows', 60_000, 500_000, 2048, verify_sql('verify_rows', 'count(*)', q(g AS id, '1' AS note)) ],
	[ 'repair of rows that differ', 60_000, 500_000, 1024, sub {
		my ($call) = map { s/'empty'/'repaired'/r =~ s/'upsert'/'replace'/r =~ s/, verify => true//r =~ s/('2001-01-01')\)$/$1, $1)/r } verify_sql('repair', '*', q(g AS id, '1' AS note))->(@_);
		return sprintf "TRUNCATE repaired; INSERT INTO repaired SELECT g, 'x' $numbers; $call", $_[0];
	} ],
	[ 'batches', 600, 50_000, 128, batches_of(from_source("SELECT $note", target => "'plain'", batch => 1)) ],
	[ 'batches, mode upsert', 600, 50_000, 128, batches_of(from_source("SELECT $note", target => "'keyed'", batch => 1, mode => "'upsert'")) ],
	[ 'batches, transform', 600, 50_000, 128, batches_of(from_source("SELECT $note", target => "'plain'", batch => 1, transform => "'SELECT * FROM batch'")) ],
	[ 'small batches of one transaction', 5000, 100_000, 128, from_source("SELECT $note", target => "'plain'", batch => 1) ],
	(map { my $method = $_; [ "rows of no bytes, method $method", 100_000, 1_500_000, 1024, from_source("SELECT NULL::int AS id, '' AS note", target => "'plain'", batch => 1_000_000, method => "'$method'") ] } 'cursor', 'copy'),
	[ 'rows of no bytes, rejects', 100_000, 1_500_000, 1024, from_source("SELECT NULL::int AS id, '' AS note", target => "'plain'", @reject, batch => 1_000_000) ],
	[ 'backfill', 20, 1000, 128, sub { "CALL copy_incremental_backfill('dated', '2001-01-01', date '2001-01-01' + $_[0], reprocess => 'all')" } ],
	# A transaction keeps its locks and combo command IDs of all windows.
	(map { my $verb = $_; [ "$verb of many windows", 20, 1000, 256, sub { "SELECT count(*) FROM copy_incremental_$verb('of_days', '2001-01-01', date '2001-01-01' + $_[0])" } ] } 'verify', 'repair'),
	[ 'catch_up', 20, 1000, 128, sub { define_job('dated', "SELECT d AS at FROM (SELECT date '{}' AS d) AS q", @dated, first_day => "current_date - $_[0]") . "; DELETE FROM pgci_coverage; DELETE FROM pgci_runs; CALL copy_incremental_catch_up('dated')" } ]);
$destination->safe_psql('postgres', define_job('dated', "SELECT d AS at FROM (SELECT date '{}' AS d) AS q", @dated, first_day => "'2001-01-01'"));
$destination->safe_psql('postgres', define_job('of_days', "SELECT d AS at, 'x' AS note FROM (SELECT date '{}' AS d) AS q", src_conninfo => $fast, target => "'of_days'", mode => "'replace'", replace_where => q($$at = date '{}'$$), first_day => "'2001-01-01'"));
for my $kind (@kinds)
{
	my ($name, $size, $long_size, $most, $call) = @$kind;
	$size = $long_size if $is_long;
	my ($session, $pid) = open_session($destination);
	$session->query_safe("SET work_mem = '1MB'; SET copy_incremental.max_batch_bytes = " . ($is_long ? "'16MB'" : "'1MB'"));
	# The first call fills the caches.
	$session->query($call->(10));
	my $before = (usage($pid))[1];
	$session->{stderr} = '';
	my ($single, $fourfold) = map { [ peak($session, $pid, $call->($_)) ] } $size, 4 * $size;
	is($single->[2] . $fourfold->[2], '', "$name: succeeds");
	cmp_ok($fourfold->[0] - $single->[0], '<=', $most, "$name: four times the size needs no more memory");
	note(sprintf '%s: %d kB before; %d: %d kB in %.1f s; %d: %d kB in %.1f s', $name, $before, $size, @{$single}[ 0, 1 ], 4 * $size, @{$fourfold}[ 0, 1 ]);
	$session->quit;
}

# A wait looks at the ledger each time that its process is woken up.
sub wait_growth
{
	my ($times) = @_;
	my $run = $destination->safe_psql('postgres', job_sql('start', "SELECT 1 AS id, pg_sleep(600)::text AS note WHERE '{}' <> ''", '2001-01-01', src_conninfo => $fast, target => "'plain'"));
	my ($session, $pid) = open_session($destination);
	start_call($session, "SELECT copy_incremental_wait($run)");
	my $wake = sub { for (1 .. $_[0]) { kill 'HUP', $pid; usleep(1000); } };
	$wake->(500);
	my $before = (usage($pid))[1];
	$wake->($times);
	my $after = (usage($pid))[1];
	$destination->safe_psql('postgres', "SELECT copy_incremental_cancel($run)");
	is((end_of_call($session))[0], '57014', "wait, woken up $times times: ends when the run does");
	$session->quit;
	return $after - $before;
}
{
	my $woken = $is_long ? 100_000 : 3000;
	my $grown = wait_growth($woken);
	cmp_ok($grown, '<=', 128, 'wait: no memory for each look at the ledger');
	note("wait, woken up $woken times: $grown kB");
}
done_testing();
