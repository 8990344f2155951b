# R33, R34, F21, F35: whichever allocation fails, and whatever exception comes of it, the call ends with an error, the
# server lives, nothing is written, and nothing is left behind. Allocations fail in turn: of C++ (operator new throws
# std::bad_alloc, std::logic_error or a number), of libpq and of the server (malloc returns null). Of the many of C++, every
# third to fifth, from a random one; with PG_TEST_EXTRA=allocations, as in make check-versions, each throws std::bad_alloc.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

plan skip_all => 'a sanitizer has its own malloc' if $ENV{ASAN_OPTIONS};
plan skip_all => 'needs /proc' unless -r "/proc/$$/smaps_rollup";

my $folder = PostgreSQL::Test::Utils::tempdir();
my ($library, $order) = ("$folder/fail_allocation.so", "$folder/order");
plan skip_all => 'needs g++'
  if system("g++ -std=c++20 -O1 -shared -fPIC -o '$library' '$FindBin::RealBin/../lib/fail_allocation.cpp' -ldl") != 0;

my $is_long = ($ENV{PG_TEST_EXTRA} // '') =~ /\ballocations\b/;
my %kinds = (bad_alloc => 1, logic_error => 2, number => 3, libpq => 4, server => 5);

# The n-th allocation of a kind is to fail in this process; nothing to fail without a process.
sub arm
{
	my ($pid, $kind, $countdown) = @_;
	open(my $file, '+<:raw', $order) or die "$order: $!";
	syswrite $file, pack('l l q', $pid, $kind, $countdown);
	close $file;
	return;
}

# How many allocations are still to come; 0 when the one has failed.
sub remaining
{
	open(my $file, '<:raw', $order) or die "$order: $!";
	sysread $file, my $text, 16;
	close $file;
	return (unpack 'l l q', $text)[2];
}

append_to_file($order, pack('l l q', 0, 0, 0));
# After it has written the commit record, PostgreSQL allocates a list of as many sessions as there may be, to notify them. An error there
# would be a PANIC. A list of this size does not fit into what is free by chance.
my ($source, $destination) = start_servers(destination => "max_connections = 1900\nmax_locks_per_transaction = 10\n");
{
	local @ENV{qw(LD_PRELOAD PGCI_FAIL_ALLOCATION)} = ($library, $order);
	# freePGconn() of libpq 16, unlike 15 and 17, reads the list of hosts, of 40 bytes each, that could not be allocated.
	local $ENV{PGCI_SPARED_CALLOC} = 40 if int($destination->pg_version) == 16;
	$destination->restart;
}

$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int, moment timestamptz, note text);
	INSERT INTO rows SELECT g, timestamptz '2018-07-29 12:00+00' + g * interval '1 s', 'row ' || g FROM generate_series(1, 30) AS g;
	CREATE FUNCTION speak(id int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
	  RAISE WARNING 'row %', id;
	  RETURN id;
	END $$;
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int PRIMARY KEY, moment timestamptz, note varchar(20));
	CREATE TABLE few (id int CHECK (id < 25), moment timestamptz, note text);
	CREATE TABLE wordy (id int, moment timestamptz, note text);
	CREATE FUNCTION wordy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '%', repeat('x', 100000); END $$;
	CREATE TRIGGER wordy BEFORE INSERT ON wordy FOR EACH ROW EXECUTE FUNCTION wordy();
	SQL
my $fast = sprintf q('host=127.0.0.1 port=%d dbname=postgres user=etl_trusted'), $source->port;
my $where = 'WHERE moment >= $1 AND moment < $2';

# What runs, and how it ends when nothing fails.
my %calls = (
	'copy_incremental()' => [ copy_sql("SELECT speak(id) AS id, moment, note FROM rows $where", '2018-07-29', src_conninfo => $fast,
			batch => 9, mode => "'upsert'", target => "'rows'", time_zone => "'UTC'",
			transform => "'SELECT id, moment, upper(note) AS note FROM batch'"), '00000' ],
	'mode replace' => [ copy_sql("SELECT * FROM rows $where", '2018-07-29', src_conninfo => $fast, batch => 9,
			mode => "'replace'", replace_where => '$$moment >= $1 AND moment < $2$$', time_zone => "'UTC'"), '00000' ],
	'method copy, mode replace' => [ copy_sql("SELECT * FROM rows $where", '2018-07-29', src_conninfo => $fast, method => "'copy'",
			mode => "'replace'", replace_where => '$$moment >= $1 AND moment < $2$$', time_zone => "'UTC'"), '00000' ],
	'method copy, error of the target' => [ copy_sql('SELECT * FROM rows', undef, src_conninfo => $fast, method => "'copy'",
			target => "'few'"), '23514' ],
	'many rows at once' => [ copy_sql('SELECT * FROM rows', undef, src_conninfo => $fast, batch => 9), '00000' ],
	'copy_incremental_range()' => [ "SELECT copy_incremental_range($fast, 'SELECT * FROM rows WHERE moment >= ''{start}'' AND moment < ''{end}''',"
		. " '[2018-07-29 00:00+00, 2018-07-30 00:00+00)', 30)", '00000' ],
	'CALL copy_incremental_batches()' => [ "CALL copy_incremental_batches($fast, 'SELECT * FROM rows', NULL, 20, mode => 'skip')",
		'00000' ],
	'copy_incremental_forget()' => [ "SELECT copy_incremental_forget('rows', '2018-07-29', '2018-07-29')", '00000' ],
	'error of the source' => [ copy_sql('SELECT 1 / (id - 20) AS id FROM rows', undef, src_conninfo => $fast, batch => 9,
			target => "'few'"), '22012' ],
	'error of the target' => [ copy_sql('SELECT * FROM rows', undef, src_conninfo => $fast, batch => 9, target => "'few'"), '23514' ],
	'long error of the target' => [ copy_sql('SELECT * FROM rows', undef, src_conninfo => $fast, target => "'wordy'"), 'P0001' ],
	'statement_timeout' => [ "SET LOCAL statement_timeout = 60; " . copy_sql('SELECT id FROM rows, pg_sleep(60)', undef,
			src_conninfo => $fast, target => "'rows'"), '57014' ],
	'subtransactions of rejects' => [ copy_sql('SELECT id, moment, note FROM rows', undef, src_conninfo => $fast, batch => 9,
			target => "'few'", on_error => "'reject'"), '00000' ],
	'subtransactions of explain' => [ look_sql('explain', 'SELECT * FROM rows', undef, src_conninfo => $fast, as => "SELECT 1 / (1 - count(*)) FROM (%s) AS e WHERE value ~ '53200|XX000'"), '00000' ],
	'refused connection' => [ "SELECT copy_incremental('postgresql://u:p\@127.0.0.1:1/d?sslmode=disable', 'SELECT 1', NULL)", '08001' ]);

my ($session, $pid) = open_session($destination);
my $state = 'SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM few), (SELECT count(*) FROM copy_incremental_runs)';

# Runs a statement and returns its SQLSTATE, 00000 for success.
sub outcome
{
	my ($sql) = @_;
	$session->query($sql);
	my ($sqlstate) = $session->{stderr} =~ /ERROR:  (\w{5}): /;
	$session->{stderr} = '';
	return $sqlstate // '00000';
}

# Lets every `step`-th allocation of a kind fail, from the `first` or a random one, until there are no more. `wanted` matches
# the SQLSTATEs that may come of it, where the call's own does not.
sub sweep
{
	my ($name, $kind, $step, $wanted, $first) = @_;
	my ($call, $own) = @{ $calls{$name} };
	my $commits = $call =~ /^CALL/;
	my (%outcomes, %wrong);
	my $n = ($first // 1 + int rand $step) - $step;
	while (1)
	{
		$n += $step;
		outcome('BEGIN') unless $commits;
		arm($pid, $kinds{$kind}, $n);
		my $sqlstate = outcome($call);
		my $failed = remaining() == 0;
		arm(0, 0, 0);
		outcome('ROLLBACK') unless $commits;
		outcome('TRUNCATE rows, pgci_runs') if $commits;
		last unless $failed;
		$outcomes{$sqlstate}++;
		$wrong{$n} = $sqlstate unless $sqlstate eq $own || $sqlstate =~ /^($wanted)$/;
		last unless $session->{run}->pumpable;
	}
	my $tried = 0;
	$tried += $_ for values %outcomes;
	is(join(', ', map { "$_: $wrong{$_}" } sort { $a <=> $b } keys %wrong), '', "$name, $kind: $wanted, or $own as without it");
	cmp_ok($tried, '>', 0, "$name, $kind: allocations have failed");
	note(sprintf '%s, %s: every %d. of %d: %s', $name, $kind, $step, $n, join ', ', map { "$_ x $outcomes{$_}" } sort keys %outcomes);
	is($session->query_safe('SELECT pg_backend_pid()'), $pid, "$name, $kind: the same process answers");
	is($session->query_safe($state), '0|0|0', "$name, $kind: nothing is written");
	return;
}

for my $name (sort grep { !/^(statement_timeout|subtransactions)/ } keys %calls)
{
	my ($call, $own) = @{ $calls{$name} };
	is(outcome("BEGIN; $call") , $own, "$name: as it goes without a fault") unless $call =~ /^CALL/;
	outcome('ROLLBACK');
	sweep($name, 'bad_alloc', 4, '53200', 1);    # fills the caches; the first call also loads the library
	my @before = usage($pid);
	sweep($name, 'bad_alloc', $is_long ? 1 : 4, '53200');
	sweep($name, 'logic_error', 3, 'XX000');
	sweep($name, 'number', 5, 'XX000');
	my ($sockets, $memory) = usage($pid);
	is($sockets, $before[0], "$name: as many open descriptors as before");
	cmp_ok($memory - $before[1], '<=', 1024, "$name: private memory has grown by 1 MB at most");
	sweep($name, 'libpq', 1, '53200|08001|08P01') unless $name =~ /_forget/;
	sweep($name, 'server', 1, '53200|22023');    # a setting that cannot be kept is an "invalid value" to the server
	ok(wait_until($source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename ~ '^etl_'"), "$name: no session at the source");
}

# What is no error of PostgreSQL's passes a subtransaction as it is, and neither ends the server nor becomes a row.
for my $name (sort grep { /^subtransactions/ } keys %calls)
{
	sweep($name, 'bad_alloc', 2, '53200');
	sweep($name, 'number', 7, 'XX000');
}

# The cancel of the source's query has its allocations too; where it fails, the source notices by itself.
sweep('statement_timeout', 'bad_alloc', 3, '53200');
sweep('statement_timeout', 'libpq', 5, '53200|08001|08P01');
ok(wait_until($source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename ~ '^etl_'"), 'statement_timeout: no session at the source');

$session->quit;
done_testing();
