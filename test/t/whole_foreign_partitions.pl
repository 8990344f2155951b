# A destination that outgrew one machine: partitions that are postgres_fdw foreign tables on two more servers.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my %shard = map { $_ => start_source(name => $_, config => "log_statement = 'all'\n") } qw(shard1 shard2);
my $columns = 'id int NOT NULL, created_at timestamptz NOT NULL, name text';

$source->safe_psql('postgres', <<~SQL);
	CREATE TABLE users ($columns);
	INSERT INTO users SELECT g, timestamptz '2018-07-29Z' + g * interval '30 seconds', 'user ' || g FROM generate_series(0, 5759) AS g;
	SQL
$destination->safe_psql('postgres', "CREATE TABLE users ($columns) PARTITION BY HASH (id)");
for my $name (sort keys %shard)
{
	my ($node, $number) = ($shard{$name}, $name =~ /(\d)/);
	my ($port, $remainder) = ($node->port, $number - 1);
	$node->safe_psql('postgres', <<~SQL);
		CREATE ROLE etl_writer LOGIN PASSWORD '$TwoServers::password';
		CREATE TABLE users ($columns);
		GRANT SELECT, INSERT, UPDATE, DELETE ON users TO etl_writer;
		SQL
	$destination->safe_psql('postgres', <<~SQL);
		CREATE SERVER $name FOREIGN DATA WRAPPER postgres_fdw
		  OPTIONS (host '127.0.0.1', port '$port', dbname 'postgres', batch_size '500');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (user 'etl_writer', password '$TwoServers::password');
		CREATE FOREIGN TABLE users_$number PARTITION OF users FOR VALUES WITH (MODULUS 2, REMAINDER $remainder)
		  SERVER $name OPTIONS (table_name 'users');
		SQL
}

my $query = 'SELECT * FROM users WHERE created_at >= $1 AND created_at < $2';
my @zone = (time_zone => "'UTC'");
my $digest = "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY id)) FROM users AS t WHERE id < 2880";
my @on_shards = map { $shard{$_} } sort keys %shard;
sub on_shards { return join ' ', map { $_->safe_psql('postgres', 'SELECT count(*) FROM users') } @on_shards }

is($destination->safe_psql('postgres', copy_sql($query, '2018-07-29', @zone)), 2880, 'a day');
is($destination->safe_psql('postgres', $digest), $source->safe_psql('postgres', $digest), 'its rows are those of the source');
my ($first, $second) = split / /, on_shards();
ok($first > 1000 && $second > 1000 && $first + $second == 2880, "both servers have a part: $first and $second rows");

# A batch of 2000 rows has about 1000 for each server: postgres_fdw sends them 500 at a time.
for my $node (@on_shards)
{
	my $inserts = () = $node->safe_psql('postgres', "SELECT pg_read_file('" . $node->logfile . "')") =~ /execute pgsql_fdw_prep_\d+: INSERT/g;
	ok($inserts > 0 && $inserts <= 8, $node->name . ": $inserts INSERTs, not one for each row");
}

my @replace = (mode => "'replace'", replace_where => q['created_at >= $1 AND created_at < $2']);
$source->safe_psql('postgres', "DELETE FROM users WHERE id % 10 = 0; UPDATE users SET name = 'changed' WHERE id % 10 = 1");
is($destination->safe_psql('postgres', copy_sql($query, '2018-07-29', @zone, @replace)), 2592, 'replace: the day again');
is($destination->safe_psql('postgres', $digest), $source->safe_psql('postgres', $digest), 'replace: deletes and changes reached both servers');

# A row that one of them refuses, in the last batch.
my $before = on_shards();
$on_shards[1]->safe_psql('postgres', 'ALTER TABLE users ADD CHECK (id < 5700)');
fails_with($destination, copy_sql($query, '2018-07-30', @zone, batch => 100), '23514', qr/users_id_check/, 'an error of one server');
is(on_shards(), $before, 'leaves both as they were');
no_session_left($source, 'and no session at the source');

fails_with($destination, copy_sql($query, '2018-07-30', @zone, mode => "'upsert'", key_columns => q[ARRAY['id']]), '42P10', qr/./,
	'upsert is refused, because no unique index spans foreign partitions');
done_testing();
