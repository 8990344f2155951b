# A table is not copied onto itself, whichever views and partitions are between.
use strict;
use warnings;

use TwoServers;
use Test::More;

my (undef, $destination) = start_servers();
my ($host, $port) = ($destination->host, $destination->port);
$destination->safe_psql('postgres', <<~SQL);
	CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER self;
	CREATE TABLE t (id int, note text);
	CREATE TABLE other (id int, note text);
	INSERT INTO t VALUES (1, 'a');
	CREATE VIEW v AS SELECT * FROM t;
	CREATE VIEW vv AS SELECT id, note FROM v WHERE id > 0;
	CREATE VIEW vo AS SELECT o.id, o.note FROM other AS o WHERE NOT EXISTS (SELECT FROM t WHERE t.id = o.id);
	CREATE VIEW computed AS SELECT id + 1 AS id, 'b' AS note FROM t;
	CREATE TABLE p (id int, note text) PARTITION BY LIST (id);
	CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
	CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
	CREATE VIEW pv AS SELECT * FROM p1;
	SQL
sub call { my ($query, $target) = @_; return copy_sql($query, undef, src_conninfo => "'self'", target => "'$target'"); }

my @same = ([ 'the table', 'TABLE t', 't' ], [ 'a view of it', 'TABLE v', 't' ], [ 'a view of a view', 'TABLE vv', 't' ], [ 'into a view of it', 'TABLE t', 'v' ], [ 'a view into another view', 'TABLE v', 'vv' ],
	[ 'a partition into its table', 'TABLE p1', 'p' ], [ 'a table into its partition', 'TABLE p', 'p1' ], [ 'a view of a partition into its table', 'TABLE pv', 'p' ]);
for my $case (@same)
{
	my ($name, $query, $target) = @$case;
	fails_with($destination, call($query, $target), '42809', qr/cannot copy table public\.$target onto itself/, "onto itself: $name");
}
my @others = ([ 'another table', 'TABLE other', 't' ], [ 'a view that looks into the target', 'TABLE vo', 't' ], [ 'computed columns', 'TABLE computed', 't' ], [ 'another partition', 'SELECT id + 1 AS id, note FROM p1', 'p2' ]);
for my $case (@others)
{
	my ($name, $query, $target) = @$case;
	like(one_line($destination, 'default', 'BEGIN', call($query, $target), 'ROLLBACK'), qr/^\d+$/, "not onto itself: $name");
}
done_testing();
