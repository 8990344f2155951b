# A destination that outgrew one machine: tables that Citus distributes over two more servers.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($sharedir) = run_command([ 'pg_config', '--sharedir' ]);
plan skip_all => 'Citus is not installed (no package of Debian; built from its source it is tested)'
  unless -e "$sharedir/extension/citus.control";

my $config = <<~CONF;
	listen_addresses = '127.0.0.1'
	shared_preload_libraries = 'citus'
	citus.node_conninfo = 'sslmode=disable'
	citus.enable_statistics_collection = off
	max_prepared_transactions = 20
	CONF
my ($source, $destination) = start_servers(destination => $config);
my @workers = map { PostgreSQL::Test::Cluster->new($_) } qw(worker1 worker2);
$destination->safe_psql('postgres', 'CREATE EXTENSION citus');
for my $worker (@workers)
{
	$worker->init;
	$worker->append_conf('postgresql.conf', $config . <<~CONF);
		timezone = 'Asia/Tokyo'
		datestyle = 'German, DMY'
		intervalstyle = 'iso_8601'
		extra_float_digits = 0
		bytea_output = 'escape'
		CONF
	$worker->start;
	$worker->safe_psql('postgres', 'CREATE EXTENSION citus');
}
$destination->safe_psql('postgres', "SELECT citus_set_coordinator_host('127.0.0.1', " . $destination->port . ')');
$destination->safe_psql('postgres', "SELECT citus_add_node('127.0.0.1', " . $_->port . ')') for @workers;

# json has no operator by which to tell whether a row has changed.
my $columns = 'tenant int, id int, created_at timestamptz NOT NULL, name text, document json, PRIMARY KEY (tenant, id)';
$source->safe_psql('postgres', <<~SQL);
	CREATE TABLE event ($columns);
	INSERT INTO event SELECT g % 50, g, timestamptz '2018-07-29Z' + g * interval '30 seconds', 'event ' || g, to_json(g)
	  FROM generate_series(0, 5759) AS g;
	SQL
$destination->safe_psql('postgres', $_)
  for "CREATE TABLE event ($columns)", "SELECT create_distributed_table('event', 'tenant')",
  'CREATE TABLE country (LIKE event)', "SELECT create_reference_table('country')";

my $query = 'SELECT * FROM event WHERE created_at >= $1 AND created_at < $2';
my @zone = (time_zone => "'UTC'");
my @replace = (mode => "'replace'", replace_where => q['created_at >= $1 AND created_at < $2']);
my $digest = "SELECT count(*), md5(string_agg(ROW(tenant, id, extract(epoch FROM created_at), name, document)::text, ',' ORDER BY id)) FROM %s AS t WHERE id < 2880";

sub copied { return $destination->safe_psql('postgres', copy_sql($query, '2018-07-29', @zone, @_)) }

sub is_as_at_source
{
	my ($name, $table) = @_;
	return is($destination->safe_psql('postgres', sprintf $digest, $table // 'event'),
		$source->safe_psql('postgres', sprintf $digest, 'event'), $name);
}

is(copied(batch => 1000), 2880, 'append');
is_as_at_source('append: the rows are those of the source');
my $parts = $destination->safe_psql('postgres', q[SELECT string_agg(rows::text, ' ') FROM (SELECT sum(result::int) AS rows
	FROM run_command_on_shards('event', 'SELECT count(*) FROM %s') JOIN citus_shards USING (shardid) GROUP BY nodeport) AS part]);
like($parts, qr/^[1-9]\d{2,3} [1-9]\d{2,3}$/, "both workers have a part: $parts");

$destination->safe_psql('postgres', 'DELETE FROM event WHERE id % 10 = 3');
copied(mode => "'skip'", batch => 1000);
is_as_at_source('skip: rows that were missing');
$source->safe_psql('postgres', "UPDATE event SET document = '{}' WHERE id % 10 = 1; DELETE FROM event WHERE id % 10 = 0");
copied(mode => "'upsert'", batch => 1000);
is($destination->safe_psql('postgres', "SELECT count(*) FROM event WHERE document::text = '{}'"), 288, 'upsert: rows that differ');
copied(@replace, batch => 1000, verify => 'true');
is_as_at_source('replace, with verify');
copied(target => "'country'", batch => 1000);
is_as_at_source('a reference table', 'country');
copied(@replace, transform => "'SELECT tenant, id, created_at, upper(name) AS name, document FROM batch'");
is($destination->safe_psql('postgres', "SELECT count(*) FROM event WHERE name LIKE 'EVENT %'"), 2592, 'transform');

# Both workers have the rows of a batch before one of them refuses a row of the last. Citus passes on no SQLSTATE.
$destination->safe_psql('postgres', 'ALTER TABLE event ADD CONSTRAINT low CHECK (id < 5700)');
my $before = $destination->safe_psql('postgres', 'SELECT count(*), sum(id) FROM event');
fails_with($destination, copy_sql($query, '2018-07-30', @zone, batch => 100), 'XX000', qr/low/, 'an error of a worker');
is($destination->safe_psql('postgres', 'SELECT count(*), sum(id) FROM event'), $before, 'leaves all of them as they were');
no_session_left($source, 'and no session at the source');

# The row that a worker refuses is found by halving a batch.
my @reject = (on_error => "'reject'", reject_limit => 100);
my $rejected = 'SELECT string_agg(DISTINCT sqlstate, \' \'), count(*) FROM copy_incremental_rejects WHERE run_id = (SELECT max(run_id) FROM copy_incremental_runs)';
$destination->safe_psql('postgres', $_) for 'ALTER TABLE event DROP CONSTRAINT low', 'ALTER TABLE event ADD CONSTRAINT listed CHECK (id NOT IN (2901, 2902, 4001))';
for my $mode ('append', 'skip', 'replace')
{
	$destination->safe_psql('postgres', "DELETE FROM event WHERE created_at >= '2018-07-30Z'");
	my @mode = $mode eq 'replace' ? @replace : (mode => "'$mode'", $mode eq 'append' ? (on_rerun => "'run'") : ());
	is($destination->safe_psql('postgres', copy_sql($query, '2018-07-30', @zone, @mode, @reject)), 2592 - 3,
		"$mode, on_error => reject: the rows that the workers take");
	is($destination->safe_psql('postgres', $rejected), '23514|3', "$mode, on_error => reject: the rows that they refuse");
}
my $without_tenant = 'SELECT nullif(tenant, 7) AS tenant, id, created_at, name, document FROM event WHERE created_at >= $1 AND created_at < $2';
is($destination->safe_psql('postgres', copy_sql($without_tenant, '2018-07-29', @zone, @replace, @reject)), 2592 - 58,
	'on_error => reject: rows without the column that they are distributed by');

# What the texts of values on a worker depend on must not matter.
my $values = 'id int, at timestamptz, x xml, r tstzrange, m tsmultirange, times timestamptz[], days date[], f float8[], i interval[], b bytea[], p point, d date, t text, PRIMARY KEY (id, at)';
$source->safe_psql('postgres', <<~SQL);
	CREATE TABLE kinds ($values);
	INSERT INTO kinds SELECT g, at, '<a/>', tstzrange(at, at + '1 day'), tsmultirange(tsrange('2018-01-01', '2018-02-03')), ARRAY[at, NULL], '{2018-07-05}',
	       ARRAY[pi(), 1e-300], '{1 mon 2 days}', '{abc,\\\\x00ff}', point(pi(), 1), '2018-07-05', 'ä'
	  FROM (SELECT g, timestamptz '2018-07-29Z' + g * interval '1 minute' AS at FROM generate_series(1, 1000) AS g) AS t;
	SQL
$destination->safe_psql('postgres', $_) for "CREATE TABLE kinds ($values)", "SELECT create_distributed_table('kinds', 'id')";
$destination->safe_psql('postgres', "SELECT copy_incremental_create_job('kinds', 'src', 'SELECT * FROM kinds', window_column => 'at', mode => 'upsert', verify => true,
	first_day => '2018-07-29', time_zone => 'America/New_York')");
is($destination->safe_psql('postgres', "SELECT sum(rows) FROM (SELECT copy_incremental_run('kinds', day) AS rows FROM (VALUES ('2018-07-28'::date), ('2018-07-29')) AS d(day)) AS t"), 1000,
	'verify => true: values whose text depends on settings');
is($destination->safe_psql('postgres', "SELECT bool_and(matches), sum(source_rows) FROM copy_incremental_verify('kinds', '2018-07-28', '2018-07-29')"), 't|1000', 'verify');
my $wrong = "UPDATE kinds SET t = 'x' WHERE id = 500; DELETE FROM kinds WHERE id = 700";
$destination->safe_psql('postgres', $_) for split /; /, $wrong;
is($destination->safe_psql('postgres', "SELECT matches, missing, extra, changed FROM copy_incremental_verify('kinds', '2018-07-29')"), 'f|1|0|1', 'verify: rows that differ');
is($destination->safe_psql('postgres', "SELECT string_agg(difference || ' ' || key, ' ' ORDER BY difference) FROM copy_incremental_verify_rows('kinds', '2018-07-29')"),
	'changed {"at": "2018-07-29 04:20:00-04", "id": "500"} missing {"at": "2018-07-29 07:40:00-04", "id": "700"}', 'verify_rows: keys with a time');
is(eval { $destination->safe_psql('postgres', "SELECT inserted, updated, deleted FROM copy_incremental_repair('kinds', '2018-07-29', '2018-07-29')") } // $@, '1|1|0', 'repair');
is($destination->safe_psql('postgres', "SELECT bool_and(matches) FROM copy_incremental_verify('kinds', '2018-07-29')"), 't', 'verify: after the repair');

# Larger batches, if none is asked for; what explain says of it.
my $large = 'SELECT batches FROM copy_incremental_runs WHERE run_id = (SELECT max(run_id) FROM copy_incremental_runs)';
copied(@replace, batch => 'NULL');
is($destination->safe_psql('postgres', $large), 1, 'the default batch');
copied(@replace, batch => 2000);
is($destination->safe_psql('postgres', $large), 2, 'a batch that is asked for');
like($destination->safe_psql('postgres', job_sql('explain', $query, '2018-07-29', target => "'event'", mode => "'skip'", @zone, on_error => "'reject'")),
	qr/batch\|2000 rows.*reports, which may include rows that were left unchanged.*rejected rows are found by writing parts/s, 'explain');

# What cannot work is refused before the first row.
$destination->safe_psql('postgres', $_) for 'CREATE EXTENSION IF NOT EXISTS citus_columnar', 'CREATE TABLE stored (LIKE event INCLUDING INDEXES) USING columnar', "SELECT create_distributed_table('stored', 'tenant')";
fails_with($destination, copy_sql($query, '2018-07-29', @zone, target => "'stored'", @$_), '0A000', qr/stored, which is columnar/, "columnar: mode $_->[1]")
  for [ mode => "'skip'" ], [ mode => "'upsert'" ], [@replace];
is(copied(target => "'stored'", on_rerun => "'run'"), 2592, 'columnar: append');
fails_with($destination, copy_sql($query, '2018-07-29', @zone, mode => "'replace'", replace_where => q('created_at::date = $1::date')), '0A000',
	qr/HINT:.*replace_where must not depend on settings/, 'replace_where that depends on settings');
fails_with($destination, copy_sql($query, '2018-07-29', @zone, mode => "'upsert'", update_where => q('excluded.created_at::date > event.created_at::date')), '0A000',
	qr/HINT:.*update_where must not depend on settings/, 'update_where that depends on settings');
my $node = $workers[0];
$node->safe_psql('postgres', 'SET citus.enable_ddl_propagation = off; CREATE EXTENSION IF NOT EXISTS pg_copy_incremental');
my $address = "'host=127.0.0.1 port=" . $source->port . " dbname=postgres user=etl_reader password=$TwoServers::password'";
fails_with($node, copy_sql($query, '2018-07-29', @zone, src_conninfo => $address), '0A000', qr/on a worker of Citus.*HINT:  Run it on the coordinator/s, 'a call on a worker');

# A transform that joins a table which is distributed by another column: Citus stores the number of a job in the plan, so that a
# plan that is executed again reads the rows of the batch before.
$destination->safe_psql('postgres', $_)
  for 'CREATE TABLE part (id int PRIMARY KEY, region text)', "SELECT create_distributed_table('part', 'id')",
  q(INSERT INTO part SELECT g, 'region ' || g % 5 FROM generate_series(0, 5759) AS g),
  'CREATE TABLE by_name (id int, at timestamptz, name text, region text)', "SELECT create_distributed_table('by_name', 'name')";
my $transform = q('SELECT b.id, b.created_at AS at, b.name, p.region FROM batch AS b JOIN part AS p ON p.id = b.id');
for my $mode ('append', 'replace')
{
	my @into = (target => "'by_name'", mode => "'$mode'", transform => $transform, batch => 300, $mode eq 'replace' ? (replace_where => q('at >= $1 AND at < $2')) : ());
	my $written = eval { copied(@into) } // $@;
	is($written, 2592, "$mode, a transform that joins in many batches: each row is written");
	is($destination->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM by_name'), '2592|2592', 'once');
	$destination->safe_psql('postgres', 'TRUNCATE by_name');
}

# A transform that joins a distributed table is executed by the workers, in their time zone. What does not depend on it is right.
my $other = qr/TimeZone is Asia\/Tokyo instead of UTC on 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+/;
my $day = q('SELECT b.id, b.created_at AS at, ((b.created_at AT TIME ZONE ''UTC'')::date - date ''2018-07-29'')::text AS name, p.region FROM batch AS b JOIN part AS p ON p.id = b.id');
unlike(($destination->psql('postgres', copy_sql($query, '2018-07-29', @zone, target => "'by_name'", on_rerun => "'run'", transform => $day, batch => 1000)))[2],
	$other, 'a transform that does not depend on settings');
is($destination->safe_psql('postgres', 'SELECT string_agg(DISTINCT name, chr(32)) FROM by_name'), '0', 'a transform on workers in another time zone');
for ('b.created_at::date', 'CURRENT_DATE', "to_char(b.created_at, ''HH24'')")
{
	my $transform = "'SELECT b.id, b.created_at AS at, ($_)::text AS name, p.region FROM batch AS b JOIN part AS p ON p.id = b.id'";
	my @into = (@zone, target => "'by_name'", on_rerun => "'run'", transform => $transform);
	like(($destination->psql('postgres', copy_sql($query, '2018-07-29', @into)))[2],
		qr/WARNING:  public\.by_name: other servers execute the transform with settings of their own.*$other.*HINT:  .*AT TIME ZONE/s, "a WARNING: $_");
	like($destination->safe_psql('postgres', job_sql('explain', $query, '2018-07-29', @into)), qr/^warning\|other servers execute the transform .*TimeZone is Asia\/Tokyo/m, "explain: $_");
	unlike(($destination->psql('postgres', copy_sql($query, '2018-07-29', @into, transform => $transform =~ s/JOIN .*'$/CROSS JOIN (SELECT ''x'' AS region) AS p'/r)))[2],
		$other, "without a join: $_");
}
$destination->safe_psql('postgres', 'TRUNCATE by_name');

is($destination->safe_psql('postgres', 'SET citus.enable_local_execution = off; ' . copy_sql($query, '2018-07-29', @zone, target => "'country'", on_rerun => "'run'")),
	2592, 'a reference table, without local execution');

# Citus would send a query of a single shard, with the batch in it, to the worker, and would commit a statement of one shard by
# itself outside of a transaction block, which a background worker does not open.
$destination->safe_psql('postgres', $_) for 'CREATE TABLE own (id int PRIMARY KEY, name text)', 'CREATE TABLE one_shard (LIKE event INCLUDING INDEXES)',
  q[SELECT create_distributed_table('one_shard', 'tenant', shard_count => 1, colocate_with => 'none')];
is(copied(target => "'one_shard'", on_rerun => "'run'"), 2592, 'a table of one shard');
is(copied(target => "'by_name'", on_rerun => "'run'", batch => 1000, transform => q('SELECT id, created_at AS at, b.name, o.name AS region FROM batch AS b JOIN one_shard AS o USING (tenant, id, created_at)')),
	2592, 'a transform that joins it');
for ('one_shard', 'event')
{
	$destination->safe_psql('postgres', 'TRUNCATE own');
	is(copied(target => "'own'", mode => "'upsert'", batch => 1000, transform => "'SELECT b.id, o.name FROM batch AS b JOIN $_ AS o USING (tenant, id)'"), 2592,
		"upsert into a table of the coordinator, a transform that joins $_");
}
$destination->safe_psql('postgres', $_) for 'ALTER TABLE one_shard ADD CONSTRAINT low CHECK (id < 2500) NOT VALID',
  define_job('one_shard', 'SELECT * FROM event', target => "'one_shard'", window_column => "'created_at'", mode => "'replace'", first_day => "'2018-07-29'", @zone);
like(($destination->psql('postgres', "CALL copy_incremental_backfill('one_shard', '2018-07-29', '2018-07-30', workers => 2)"))[2], qr/ERROR:/, 'a backfill by workers fails');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM one_shard'), 2592, 'and deletes nothing');
$destination->safe_psql('postgres', $_) for 'ALTER TABLE one_shard DROP CONSTRAINT low', "CALL copy_incremental_backfill('one_shard', '2018-07-29', '2018-07-30', workers => 2)";
is_as_at_source('a backfill by workers', 'one_shard');

# A worker that dies in the middle leaves nothing.
$before = $destination->safe_psql('postgres', 'SELECT count(*), sum(id) FROM event');
$source->safe_psql('postgres', 'ALTER TABLE event RENAME TO event_of_day; CREATE VIEW event AS SELECT e.* FROM event_of_day AS e WHERE e.id < 3500 OR pg_advisory_xact_lock_shared(7) IS NOT NULL');
my $holder = $source->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(7)');
my ($told, $failed) = ('', '');
my $call = IPC::Run::start([ 'psql', '-XAtq', '-d', $destination->connstr('postgres'), '-c', copy_sql($query, '2018-07-30', @zone, @replace, batch => 100) ], '>', \$told, '2>', \$failed);
ok(wait_until($source, q[SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'advisory']), 'a load waits in the middle');
$node->stop('immediate');
$holder->query_safe('SELECT pg_advisory_unlock(7)');
$call->finish;
like($failed, qr/ERROR:/, 'a worker that dies fails the run');
$node->start;
is($destination->safe_psql('postgres', 'SELECT count(*), sum(id) FROM event'), $before, 'and leaves all rows as they were');
copied(@replace);
is_as_at_source('the run after that');
$holder->quit;
no_session_left($source, 'no session is left at the source');

# Rows that are written into the coordinator's own table would be in no shard.
fails_with($destination, copy_sql($query, '2018-07-29', @zone, @replace, method => q('copy')), '0A000',
	qr/method copy cannot write to public\.event/, 'method copy is refused');
done_testing();
