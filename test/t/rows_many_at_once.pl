# Rows that are inserted many at once: into partitions in turn, and into partitions on another server.
use strict;
use warnings;

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
no_session_left($source, 'no session is left at the source');
done_testing();
