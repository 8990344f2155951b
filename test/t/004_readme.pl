# The SQL of the README, run as it stands there, in its order, but for the address and password of the source.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my ($source, $destination) = start_servers();
my $port = $source->port;

my @tables = (
	'CREATE TABLE flights (id int, time_hour timestamptz)',
	'CREATE TABLE users (id int, created_at timestamptz)',
	'CREATE TABLE orders (id int, placed_at timestamptz, customer_id int, cents int, is_test boolean)');
$source->safe_psql('postgres', join ';', @tables, <<~'SQL');
	INSERT INTO flights SELECT g, timestamptz '2013-01-01' + g * interval '1 hour' FROM generate_series(0, 47) AS g;
	INSERT INTO users SELECT g, timestamptz '2018-07-29' + g * interval '1 hour' FROM generate_series(0, 47) AS g;
	INSERT INTO orders SELECT g, timestamptz '2018-07-29' + g * interval '1 hour', g % 3, g * 100, g % 4 = 0
	  FROM generate_series(0, 47) AS g;
	SQL
$destination->safe_psql('postgres', join ';', @tables[ 0, 1 ], <<~'SQL');
	CREATE TABLE orders (id int, placed_at timestamptz, region text, amount numeric);
	CREATE TABLE customers (id int PRIMARY KEY, region text);
	INSERT INTO customers VALUES (0, 'north'), (1, 'south'), (2, 'west');
	SQL

my @blocks = slurp_file("$FindBin::RealBin/../../README.md") =~ /^```sql\n(.*?)^```$/msg;
is(scalar @blocks, 7, 'the blocks of SQL that this test knows');
my ($first, $at_source, $set_up, @calls) = @blocks;

is($destination->safe_psql('postgres', $first), 24, 'the first screen');

$destination->safe_psql('postgres', 'DROP SERVER src CASCADE');
$set_up =~ s/db\.example\.com/127.0.0.1/;
$set_up =~ s/'5432'/'$port'/;
$set_up =~ s/'shop'/'postgres'/;
$source->safe_psql('postgres', 'DROP OWNED BY etl_reader; DROP ROLE etl_reader');
$source->safe_psql('postgres', "$at_source; GRANT SELECT ON orders TO etl_reader");
$destination->safe_psql('postgres', $set_up);
$destination->safe_psql('postgres', <<~'SQL');
	GRANT SELECT, DELETE ON users TO etl;
	GRANT INSERT ON orders TO etl;
	GRANT SELECT ON customers TO etl;
	SQL
pass('getting started: the set-up');

my @rows = map { $destination->safe_psql('postgres', $_, extra_params => [ '-U', 'etl' ]) } @calls;
is_deeply(\@rows, [ 24, 24, 24, 18 ], 'the calls of a role with no other rights, and the rows that they say');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM users'), 24, 'replace left the day once');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM orders WHERE region IS NOT NULL'), 18, 'the transform joined');

done_testing();
