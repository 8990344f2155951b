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
	max_prepared_transactions = 20
	CONF
my ($source, $destination) = start_servers(destination => $config);
my @workers = map { PostgreSQL::Test::Cluster->new($_) } qw(worker1 worker2);
$destination->safe_psql('postgres', 'CREATE EXTENSION citus');
for my $worker (@workers)
{
	$worker->init;
	$worker->append_conf('postgresql.conf', $config);
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
my $digest = "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM %s AS t WHERE id < 2880";

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

# So a row that a worker refuses is not put aside. What the coordinator itself refuses is.
my $without_tenant = 'SELECT nullif(tenant, 7) AS tenant, id, created_at, name, document FROM event WHERE created_at >= $1 AND created_at < $2';
is($destination->safe_psql('postgres', copy_sql($without_tenant, '2018-07-29', @zone, @replace, on_error => "'reject'", reject_limit => 100)),
	2592 - 58, 'on_error => reject: rows without the column that they are distributed by');

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

# Rows that are written into the coordinator's own table would be in no shard.
fails_with($destination, copy_sql($query, '2018-07-29', @zone, @replace, method => q('copy')), '0A000',
	qr/method copy cannot write to public\.event/, 'method copy is refused');
done_testing();
