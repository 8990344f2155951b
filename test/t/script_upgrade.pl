# ALTER EXTENSION UPDATE from every older version gives the same objects as a fresh install. Before the second release the
# only older version is the one that make check makes up (test/bin/server_tree.sh).
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use Test::More;

plan skip_all => 'there is no older version' if !$ENV{THROWAWAY_VERSION};

my $node = PostgreSQL::Test::Cluster->new('upgrade');
$node->init;
$node->start;

# Everything of the extension: objects, definitions, comments, rights, columns, constraints.
my $objects = <<'SQL';
SELECT pg_describe_object(classid, objid, objsubid), obj_description(objid, classid::regclass::name) FROM pg_depend
  WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' ORDER BY 1;
SELECT proname, pg_get_functiondef(p.oid), proacl FROM pg_proc AS p WHERE proname ~ '^(copy_incremental|pgci_)' ORDER BY 1;
SELECT relname, relacl, relrowsecurity FROM pg_class WHERE relname ~ '^(copy_incremental|pgci_)' ORDER BY 1;
SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
       pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)
  FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE attrelid::regclass::text ~ '^(copy_incremental|pgci_)' AND attnum > 0 ORDER BY attrelid::regclass::text, attnum;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid::regclass::text ~ '^(copy_incremental|pgci_)'
  ORDER BY 1;
SELECT indexdef FROM pg_indexes WHERE tablename ~ '^(copy_incremental|pgci_)' ORDER BY 1;
SELECT viewname, definition FROM pg_views WHERE viewname ~ '^copy_incremental' ORDER BY 1;
SELECT (SELECT count(*) FROM unnest(extconfig)), extcondition, extversion FROM pg_extension
  WHERE extname = 'pg_copy_incremental';
SQL

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION pg_copy_incremental');
my $fresh = $node->safe_psql('fresh', $objects);
my $newest = $node->safe_psql('fresh', q[SELECT extversion FROM pg_extension WHERE extname = 'pg_copy_incremental']);

my @older = grep { $_ ne $newest } split /\n/, $node->safe_psql('postgres',
	q[SELECT version FROM pg_available_extension_versions WHERE name = 'pg_copy_incremental' ORDER BY 1]);
ok(scalar @older, 'there are older versions to come from');

$node->safe_psql('postgres', 'CREATE ROLE etl');
for my $version (@older)
{
	(my $database = "from_$version") =~ tr/./_/;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, "CREATE EXTENSION pg_copy_incremental VERSION '$version'");
	my (undef, undef, $error) = $node->psql($database, q[SELECT copy_incremental('x=y', 'SELECT 1 AS a', NULL, 1)]);
	like($error, qr/ERROR/, "$version: the library of $newest gives an error, not a crash");
	$node->safe_psql($database, 'GRANT EXECUTE ON FUNCTION copy_incremental TO etl');
	$node->safe_psql($database, 'ALTER EXTENSION pg_copy_incremental UPDATE');
	is($node->safe_psql($database, q[SELECT has_function_privilege('etl', 'copy_incremental'::regproc, 'EXECUTE')]), 't',
		"$version: who could call it still can");
	$node->safe_psql($database, 'REVOKE EXECUTE ON FUNCTION copy_incremental FROM etl');
	is($node->safe_psql($database, $objects), $fresh, "$version, updated to $newest, equals a fresh install");
}

done_testing();
