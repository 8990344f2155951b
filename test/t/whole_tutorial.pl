# Every block of SQL of doc/tutorial.md, run as it stands there, in its order, but for the address and password.
use strict;
use warnings;

use FindBin;
use PgCron;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my $source = start_source();
my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->append_conf('postgresql.conf', "timezone = 'UTC'\n" . cron_config());
$destination->start;
stay_in_the_day();
my $port = $source->port;
# 24 rows on each day from the 27th to the 31st, and yesterday
$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE users (id bigint PRIMARY KEY, created_at timestamptz NOT NULL, name text);
	INSERT INTO users SELECT g, timestamptz '2018-07-27Z' + g * interval '1 hour', 'user ' || g FROM generate_series(0, 119) AS g;
	INSERT INTO users SELECT 1000 + g, ((now() AT TIME ZONE 'UTC')::date - 1 + g * interval '1 hour') AT TIME ZONE 'UTC', 'new'
	  FROM generate_series(0, 23) AS g;
	CREATE TABLE orders (id bigint PRIMARY KEY, placed_at timestamptz NOT NULL);
	CREATE TABLE payments (id bigint PRIMARY KEY, paid_at timestamptz NOT NULL);
	INSERT INTO orders SELECT id, created_at FROM users WHERE id >= 1000;
	INSERT INTO payments TABLE orders;
	SQL

my @blocks = slurp_file("$FindBin::RealBin/../../doc/tutorial.md") =~ /^```sql\n(.*?)^```$/msg;
is(scalar @blocks, 19, 'the blocks of SQL that this test knows');
my ($set_up, $table, $grants, @calls) = @blocks;
is($set_up =~ s/db\.example\.com/127.0.0.1/ + $set_up =~ s/'5432'/'$port'/ + $set_up =~ s/dbname 'shop'/dbname 'postgres'/
	  + $set_up =~ s/'secret'/'$TwoServers::password'/, 4, 'the source of the set-up');
$destination->safe_psql('postgres', $_) for $set_up, $table, $grants;

sub etl { return $destination->safe_psql('postgres', $_[0], extra_params => [ '-U', 'etl' ]) }
my ($first, $again, $ledger, $bound, $replace, $job, $explain, $run, $missing, $backfill, $verify, $create, $many, $catch_up, $cron, $behind) = @calls;
my $rows = 'SELECT count(*), count(DISTINCT created_at::date) FROM users';
is(etl($first), 24, '2. the same query, in one call');
my ($status, $out, $err) = $destination->psql('postgres', $again, extra_params => [ '-U', 'etl' ]);
ok($status != 0 && $err =~ /window .* was already loaded/, '3. call it again') or diag($err);
is(etl($ledger), '["2018-07-29 00:00:00+00","2018-07-30 00:00:00+00")|24|succeeded', '3. the ledger');
is(etl($bound), 24, '4. let the source use its index');
is(etl($replace) . ' ' . etl($rows), '24 48|2', '5. make a retry harmless');
is(etl($job), '', '6. define a job');
like(etl($explain), qr/users/, '6. what a run would do');
is(etl($run), 24, '6. the name is enough');
is(etl($missing), "2018-07-28\n2018-07-29\n2018-07-31", '7. which days are missing');
etl($backfill);
is(etl($rows), '96|4', '7. fill the past');
is(etl($missing), '', '7. and nothing is missing');
like(etl($verify), qr/^2018-07-30\|.*\|t\|24\|24\|0\|0/, '8. verify the result');

# The jobs have more days than a test has time, so they begin later here.
$destination->safe_psql('postgres', $create);
etl($many =~ s/'2018-07-28'/((now() AT TIME ZONE 'UTC')::date - 3)::date/r);
etl($catch_up);
is(etl($rows), '120|5', '10. every night');
is(etl('SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM payments)'), '24|24', '9. tables that are created');
like(etl($behind), qr/^(?:(?:users|orders|payments)\|[\d:.]*\|0\|\n?){3}$/, '10. each morning');
SKIP:
{
	skip 'pg_cron is not installed (on Debian: postgresql-15-cron)', 1 unless cron_minor();
	create_cron($destination);
	etl($cron);
	is(etl('SELECT jobname, username FROM cron.job'), 'catch up|etl', '10. by pg_cron');
}
done_testing();
