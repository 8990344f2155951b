# create_partitions: the partitions that windows need, of a day or a month, whatever exists already.
use strict;
use warnings;

use Sessions;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();

sub results { return one_line($destination, 'default', @_); }
sub run_sql { my ($day, $job) = @_; return "SELECT copy_incremental_run('$job', '$day')"; }
sub bounds
{
	my ($table) = @_;
	return results("SET TimeZone = 'UTC'", "SELECT string_agg(relname || ' ' || substr(pg_get_expr(relpartbound, oid), 17), ', ' ORDER BY relname) FROM pg_class WHERE oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = '$table'::regclass)") =~ s/'//gr;
}
my %create = (window_column => "'at'", create_target => 'true');

# Every type of column, in a zone that has days of 23 and 25 hours.
for my $case (
	[ 'date', 'day', 'UTC', '2018-07-28', 'd_p20180728 (2018-07-28) TO (2018-07-29)' ],
	[ 'date', 'month', 'UTC', '2018-07-28', 'd_p201807 (2018-07-01) TO (2018-08-01)' ],
	[ 'timestamp', 'day', 'Europe/Berlin', '2018-07-28', 'd_p20180728 (2018-07-28 00:00:00) TO (2018-07-29 00:00:00)' ],
	[ 'timestamptz', 'day', 'Europe/Berlin', '2018-03-25', 'd_p20180325 (2018-03-24 23:00:00+00) TO (2018-03-25 22:00:00+00)' ],
	[ 'timestamptz', 'day', 'Europe/Berlin', '2018-10-28', 'd_p20181028 (2018-10-27 22:00:00+00) TO (2018-10-28 23:00:00+00)' ],
	[ 'timestamptz', 'month', 'America/New_York', '2018-12-31', 'd_p201812 (2018-12-01 05:00:00+00) TO (2019-01-01 05:00:00+00)' ])
{
	my ($type, $size, $zone, $day, $bounds) = @$case;
	my $name = "$type, $size, $day";
	on_both('DROP TABLE IF EXISTS d', $source, $destination);
	$source->safe_psql('postgres', "SET TimeZone = '$zone'; CREATE TABLE d (id int, at $type, PRIMARY KEY (id, at)); INSERT INTO d SELECT g, '$day'::$type + interval '1 day' * g FROM generate_series(-1, 1) AS g");
	my %option = (%create, create_partitions => "'$size'", time_zone => "'$zone'", first_day => "'$day'", target => "'d'");
	like(results("DELETE FROM pgci_jobs", define_job('d', 'SELECT * FROM d', %option)), qr/was created/, "$name: the table is created");
	is(bounds('d'), '', "$name: without partitions");
	is(results("SELECT count(*) FROM copy_incremental_explain('d', '$day') WHERE item = 'create partition'"), '2', "$name: explain");
	is(results(run_sql($day, 'd')), '1', "$name: runs");
	is(bounds('d'), $bounds, "$name: the partition");
	is(results("SELECT copy_incremental_forget('d', '$day', '$day', 'd')", 'TRUNCATE d', run_sql($day, 'd'), "SELECT count(ddl) FROM copy_incremental_runs WHERE job = 'd'"), '1 1 1', "$name: once");
}
like(results(q[SELECT ddl FROM copy_incremental_runs WHERE ddl IS NOT NULL ORDER BY run_id DESC LIMIT 1]), qr/^CREATE TABLE public\.d_p201812 \(LIKE public\.d INCLUDING .*\); ALTER TABLE public\.d ATTACH PARTITION public\.d_p201812 FOR VALUES FROM \('2018-12-01 05:00:00\.000000\+00'\)/, 'the ledger has the statements');

# What exists is kept: partitions of other sizes, a default partition, an index, a name that is in use, a long name.
my $long = 'x' x 63;
on_both(qq[CREATE TABLE "$long" (id int, at date)], $source);
$source->safe_psql('postgres', "INSERT INTO \"$long\" SELECT g, date '2018-07-01' + g FROM generate_series(0, 61) AS g; CREATE TABLE p AS TABLE \"$long\"");
$destination->safe_psql('postgres', qq[CREATE TABLE "$long" (id int NOT NULL CHECK (id >= 0), at date) PARTITION BY RANGE (at); CREATE INDEX ON "$long" (id);
	CREATE TABLE old PARTITION OF "$long" FOR VALUES FROM ('2018-07-05') TO ('2018-07-10'); CREATE TABLE rest PARTITION OF "$long" DEFAULT;]);
my %option = (window_column => "'at'", time_zone => "'UTC'", first_day => "'2018-07-01'", create_partitions => "'month'", target => "'\"$long\"'");
results(define_job('p', 'SELECT * FROM p', %option));
is(results(run_sql('2018-07-03', 'p'), run_sql('2018-07-06', 'p'), run_sql('2018-07-20', 'p')), '1 1 1', 'around what exists');
my $cut = substr $long, 0, 53;    # a name has 63 bytes
is(bounds("\"$long\""), qq[old (2018-07-05) TO (2018-07-10), rest , ${cut}_p20180701 (2018-07-01) TO (2018-07-05), ${cut}_p20180710 (2018-07-10) TO (2018-08-01)], 'around what exists: the partitions');
is(results(qq[SELECT count(*) FROM pg_index WHERE indrelid = '${cut}_p20180701'::regclass], qq[SELECT count(*) FROM pg_constraint WHERE conrelid = '${cut}_p20180701'::regclass AND contype = 'c'], 'SELECT count(*) FROM rest'), '1 1 0', 'a partition has the indexes and checks');
$destination->safe_psql('postgres', qq[INSERT INTO "$long" VALUES (1, '2018-08-02')]);
like(results(run_sql('2018-08-01', 'p')), qr/^ERROR:  updated partition constraint for default partition "rest" would be violated by some row/, 'rows in the default partition');
my $month = substr($long, 0, 55) . '_p201808';
$destination->safe_psql('postgres', qq[TRUNCATE rest; CREATE TABLE $month ()]);
like(results(run_sql('2018-08-01', 'p')), qr/^ERROR:  relation "$month" already exists/, 'a name that is in use');

# Tables that are not partitioned so, and options that do not fit.
for my $case (
	[ 'a plain table', 'CREATE TABLE q (id int, at date)' ],
	[ 'another column', 'CREATE TABLE q (id int, at date) PARTITION BY RANGE (id)' ],
	[ 'a list', 'CREATE TABLE q (id int, at date) PARTITION BY LIST (at)' ],
	[ 'two columns', 'CREATE TABLE q (id int, at date) PARTITION BY RANGE (at, id)' ])
{
	my ($name, $table) = @$case;
	$destination->safe_psql('postgres', "DROP TABLE IF EXISTS q; $table; DELETE FROM pgci_jobs WHERE job = 'q'; " . define_job('q', 'SELECT * FROM p', %option, target => "'q'", create_partitions => "'none'")
		  . q[; UPDATE pgci_jobs SET options = options || '{"create_partitions": "day"}' WHERE job = 'q']);
	fails_with($destination, run_sql('2018-07-03', 'q'), '42809', qr/create_partitions needs a target that is partitioned by RANGE \(at\)/, $name);
}
fails_with($destination, copy_sql('SELECT * FROM p', undef, create_partitions => "'day'"), '22023', qr/create_partitions has no meaning without window_column/, 'no window_column');
fails_with($destination, define_job('ids', 'SELECT * FROM p', window_column => "'id'", create_partitions => "'day'"), '22023', qr/create_partitions has no meaning with windows of ids/, 'ids');

# Owners.
$destination->safe_psql('postgres', q[CREATE ROLE etl LOGIN; CREATE ROLE "the boss"; GRANT USAGE ON FOREIGN SERVER src TO etl; SELECT copy_incremental_grant('etl'); GRANT CREATE ON SCHEMA public TO "the boss", etl; CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '] . $TwoServers::password
	  . q['); CREATE TABLE o (id int, at date) PARTITION BY RANGE (at); ALTER TABLE o OWNER TO "the boss"; GRANT INSERT ON o TO etl; ] . define_job('o', 'SELECT * FROM p', %option, target => "'o'") . "; UPDATE pgci_jobs SET owner = 'etl'::regrole::oid WHERE job = 'o'");
like(results('SET ROLE etl', run_sql('2018-07-03', 'o')), qr/^ERROR:  must be owner of table public\.o to change it HINT:  Let its owner run: CREATE TABLE public\.o_p201807 /, 'a role that does not own the table');
is(results('GRANT "the boss" TO etl', 'SET ROLE etl', run_sql('2018-07-03', 'o'), q[SELECT tableowner FROM pg_tables WHERE tablename = 'o_p201807']), '1 the boss', 'a partition belongs to the owner of the table');

# Many windows at once.
$destination->safe_psql('postgres', 'CREATE TABLE m (id int, at date) PARTITION BY RANGE (at); ' . define_job('m', 'SELECT * FROM p', %option, target => "'m'", create_partitions => "'day'"));
like(results(q[CALL copy_incremental_backfill('m', '2018-07-01', '2018-08-31', workers => 4)], 'SELECT count(*), count(DISTINCT id), count(DISTINCT tableoid) FROM m'), qr/^62\|62\|62NOTICE:  job "m": 62 windows, 62 rows/, 'a backfill with workers');
is(results(q[SELECT count(*) FROM copy_incremental_verify('m', '2018-07-01', '2018-08-31') WHERE matches]), '62', 'a backfill with workers: equal');

# A reader of the table does not wait, and a partition that a failed run would have created is gone.
my ($reader) = open_session($destination);
$reader->query_safe('BEGIN; SELECT count(*) FROM o');
is(results('SET ROLE etl', q[SET lock_timeout = '1ms'], run_sql('2018-08-01', 'o')), '1', 'a reader does not wait, nor does the run');
$reader->quit;
$source->safe_psql('postgres', "INSERT INTO p VALUES (-5, '2018-09-01')");
$destination->safe_psql('postgres', 'ALTER TABLE o ADD CHECK (id > 0)');
like(results('SET ROLE etl', run_sql('2018-09-01', 'o')), qr/^ERROR: .*violates check constraint/, 'a run that fails');
is(results(q[SELECT to_regclass('o_p201809') IS NULL]), 't', 'a run that fails leaves no partition');

no_session_left($source, 'no session is left at the source');
done_testing();
