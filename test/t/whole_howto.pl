# The SQL of doc/how-to, run as it stands there in the order of its list of pages, but for the address and password of the source
# and for the first day of jobs.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my ($source, $destination) = start_servers(destination => "timezone = 'UTC'\nmax_worker_processes = 20\n");
stay_in_the_day();
my $port = $source->port;

# 24 rows on each of five days: two of 2018, and the three before today
my %day_column = (users => 'created_at', payments => 'paid_at', visits => 'began_at', orders => 'placed_at');
while (my ($table, $column) = each %day_column)
{
	my $more = $table eq 'orders' ? ', customer_id int, cents int, is_test boolean' : '';
	$source->safe_psql('postgres', <<~SQL);
		CREATE TABLE $table AS
		SELECT row_number() OVER () AS id, (day + g * interval '1 hour') AT TIME ZONE 'UTC' AS $column,
		       g % 3 AS customer_id, g * 100 AS cents, g % 4 = 0 AS is_test
		  FROM (SELECT unnest(ARRAY['2018-07-29', '2018-07-30', today - 3, today - 2, today - 1]::date[])::timestamp AS day
		          FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS today) AS t) AS days, generate_series(0, 23) AS g
		SQL
	next if $table eq 'orders';
	$source->safe_psql('postgres', "ALTER TABLE $table DROP customer_id, DROP cents, DROP is_test");
	$destination->safe_psql('postgres', "CREATE TABLE $table (id int PRIMARY KEY, $column timestamptz)");
}
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE orders (id int, placed_at timestamptz, region text, amount numeric);
	CREATE TABLE customers (id int PRIMARY KEY, region text);
	INSERT INTO customers VALUES (0, 'north'), (1, 'south'), (2, 'west');
	SQL

my $folder = "$FindBin::RealBin/../../doc/how-to";
my @pages = slurp_file("$folder/README.md") =~ /^- \[.*?\]\((.*?)\)$/mg;
is_deeply([ sort @pages, 'README.md' ], [ sort map { m{([^/]+)$} } glob "$folder/*.md" ], 'the list has all pages');
my @blocks = map { slurp_file("$folder/$_") =~ /^```sql\n(.*?)^```$/msg } @pages;
is(scalar @blocks, 13, 'the blocks of SQL that this test knows');
my ($at_source, $set_up, $call, $job, $many, $again, $past, $ids, $products, $transform, $group, $atomic, $refunds) = @blocks;

$destination->safe_psql('postgres', 'DROP EXTENSION postgres_fdw CASCADE');
is($set_up =~ s/db\.example\.com/127.0.0.1/ + $set_up =~ s/'5432'/'$port'/ + $set_up =~ s/'shop'/'postgres'/, 3, 'the source of the set-up');
$source->safe_psql('postgres', 'DROP OWNED BY etl_reader; DROP ROLE etl_reader');
$source->safe_psql('postgres', "$at_source; GRANT SELECT ON orders, payments, visits TO etl_reader");
$destination->safe_psql('postgres', $set_up);
$destination->safe_psql('postgres', <<~'SQL');
	GRANT INSERT ON orders TO etl;
	GRANT SELECT ON customers TO etl;
	SQL
pass('the set-up');

sub etl { return $destination->safe_psql('postgres', $_[0], extra_params => [ '-U', 'etl' ]) }
my $rows = 'SELECT count(*), count(DISTINCT id) FROM';
# 2018 has more days than a test has time.
my $recent = $destination->safe_psql('postgres', q[SELECT (now() AT TIME ZONE 'UTC')::date - 3]);
my $from_recent = sub { my ($sql) = @_; return $sql =~ s/first_day => '2018-07-01'/first_day => '$recent'/r };

is(etl($call), 24, 'a call');
etl($from_recent->($job));
is(etl("$rows users"), '96|96', 'a job loads all days that have ended');
$destination->safe_psql('postgres', 'GRANT SELECT, INSERT, DELETE ON payments, visits TO etl');
etl($from_recent->($many)) for 1, 2;
is(etl("$rows payments") . ' ' . etl("$rows visits") . ' ' . etl("$rows users"), '72|72 72|72 96|96', 'many jobs, defined twice');
# As the page says.
etl($job =~ s/CALL.*//sr =~ s/\);/, or_replace => true);/r);
is(etl($again), 24, 'a day again');
on_both('CREATE TABLE events (id bigserial PRIMARY KEY, v text)', $source, $destination);
$source->safe_psql('postgres', 'GRANT SELECT ON events, events_id_seq TO etl_reader; INSERT INTO events (v) SELECT g FROM generate_series(1, 5) AS g');
$destination->safe_psql('postgres', 'GRANT SELECT, INSERT ON events TO etl');
etl($ids);
is(etl("$rows events"), '5|5', 'a table that has only an id');
on_both('CREATE TABLE products (id int PRIMARY KEY, name text)', $source, $destination);
$source->safe_psql('postgres', "GRANT SELECT ON products TO etl_reader; INSERT INTO products SELECT g FROM generate_series(1, 5) AS g");
$destination->safe_psql('postgres', 'GRANT SELECT, INSERT, UPDATE, DELETE ON products TO etl');
like(etl($products), qr/^\|\|\|5\|0\|0\|5$/m, 'a copy of a table');
etl($past);
is(etl("$rows users"), '120|120', 'the past, whose days were loaded before without the job');
is(etl($transform), 18, 'a transform');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM orders WHERE region IS NOT NULL'), 18, 'and its join');
$source->safe_psql('postgres', 'CREATE TABLE refunds (LIKE payments); INSERT INTO refunds TABLE payments; GRANT SELECT ON refunds TO etl_reader');
$destination->safe_psql('postgres', 'GRANT CREATE ON SCHEMA public TO etl');
etl($from_recent->($refunds));
is(etl("$rows refunds"), '72|72', 'a table that is created');

on_both('CREATE TABLE invoices (id int PRIMARY KEY, issued_at timestamptz); CREATE TABLE invoice_lines (invoice int REFERENCES invoices, issued_at timestamptz)', $source, $destination);
$source->safe_psql('postgres', "INSERT INTO invoices SELECT id, created_at FROM users; INSERT INTO invoice_lines TABLE invoices; GRANT SELECT ON invoices, invoice_lines TO etl_reader");
$destination->safe_psql('postgres', 'GRANT SELECT, INSERT, DELETE ON invoices, invoice_lines TO etl');
$group =~ s/first_day => '2018-07-01'/first_day => '$recent'/g;
etl($group);
is(etl("$rows invoices") . ' ' . etl('SELECT count(*), count(DISTINCT invoice) FROM invoice_lines'), '72|72 72|72', 'tables as of one moment');
etl('SELECT copy_incremental_forget($$invoices$$, NULL, NULL), copy_incremental_forget($$invoice_lines$$, NULL, NULL)');
etl($atomic);
is(etl("$rows invoices") . ' ' . etl('SELECT count(*), count(DISTINCT invoice) FROM invoice_lines'), '72|72 72|72', 'each day in one transaction');

done_testing();
