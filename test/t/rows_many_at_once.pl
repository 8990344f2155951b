# Rows that are inserted many at once: into partitions in turn, and as seen by what watches statements.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
$source->safe_psql('postgres', "CREATE TABLE event AS SELECT i AS id, i / 1000 AS part, 'row ' || i AS v FROM generate_series(0, 5999) AS i");
my $checksum = 'SELECT count(*), sum(hashtextextended(e::text, 0)) FROM %s AS e';
my $expected = $source->safe_psql('postgres', sprintf $checksum, 'event');

# Each partition begins when the rows of the one before it are stored, in every order.
$destination->safe_psql('postgres', 'CREATE TABLE event (id int PRIMARY KEY, part int, v text) PARTITION BY RANGE (id); '
	  . join '; ', map { sprintf 'CREATE TABLE event_%d PARTITION OF event FOR VALUES FROM (%d) TO (%d)', $_, 1000 * $_, 1000 * ($_ + 1) } 0 .. 5);
for my $order ('id', 'id DESC', 'id % 1000, id', '(id / 1000) % 2, id', 'md5(id::text)')
{
	for my $batch (700, 2000, 10000)
	{
		is($destination->safe_psql('postgres', 'TRUNCATE event; ' . copy_sql("SELECT * FROM event ORDER BY $order", undef, target => "'event'", batch => $batch, on_rerun => "'run'")
				. '; ' . sprintf($checksum, 'event') . '; SELECT count(*) FROM event WHERE tableoid <> (SELECT to_regclass($$event_$$ || part)::oid)'),
			"6000\n$expected\n0", "in turn: order by $order, batches of $batch");
		is($destination->safe_psql('postgres', "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(v) FROM event WHERE id >= 0"), 6000, 'by the index');
	}
}

# What watches statements sees those of the run, with their rows, and the statistics have each row once.
$destination->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_stat_statements, auto_explain'\npg_stat_statements.track = all\n"
	  . "auto_explain.log_min_duration = 0\nauto_explain.log_nested_statements = on\nauto_explain.log_analyze = on\n");
$destination->restart;
my $log = -s $destination->logfile;
$destination->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements; CREATE TABLE plain (LIKE event); SELECT pg_stat_statements_reset(); '
	  . copy_sql('SELECT * FROM event', undef, target => "'plain'"));
is($destination->safe_psql('postgres', q(SELECT calls, rows, wal_records < 1000 FROM pg_stat_statements WHERE query LIKE 'INSERT INTO public.plain %')), '3|6000|t',
	'pg_stat_statements: three batches, each row once, and WAL of many rows at once');
like(slurp_file($destination->logfile, $log), qr/INSERT INTO public\.plain .*?Custom Scan \(copy_incremental insert\).*?Rows Stored: many at once/s,
	'auto_explain names the node');
ok($destination->poll_query_until('postgres', q(SELECT n_tup_ins = 6000 AND n_live_tup = 6000 FROM pg_stat_user_tables WHERE relname = 'plain')), 'the statistics count each row once');
no_session_left($source, 'no session is left at the source');
done_testing();
