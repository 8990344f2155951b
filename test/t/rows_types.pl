# Every built-in type that a table column can have, and arrays of it, arrives as it was.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "log_statement = 'all'\n");

# Objects that values name, with other OIDs at the source than at the destination.
$source->safe_psql('postgres', <<~'SQL');
	CREATE SCHEMA first; CREATE ROLE first; CREATE TABLE first.items (); CREATE TYPE first.mood AS ENUM ();
	CREATE FUNCTION first.twice(int) RETURNS int LANGUAGE sql RETURN 2 * $1;
	SQL
on_both(<<~'SQL', $source, $destination);
	CREATE ROLE "Reader 1"; CREATE SCHEMA shop; CREATE TABLE shop."Items" (); CREATE TYPE shop.mood AS ENUM ('sad');
	CREATE FUNCTION shop.twice(int) RETURNS int LANGUAGE sql RETURN 2 * $1;
	CREATE OPERATOR shop.@@@ (PROCEDURE = shop.twice, RIGHTARG = int);
	CREATE COLLATION shop.german FROM "C";
	CREATE TEXT SEARCH DICTIONARY shop.words (TEMPLATE = simple);
	CREATE TEXT SEARCH CONFIGURATION shop.search (PARSER = default);
	SQL

my $long_number = '9' x 5000 . '.' . '7' x 3000;
my @ranges = ('empty', '(,)');

# Literals of each type; NULL is added to all.
my %values = (
	'aclitem' => [ '"Reader 1"=arwdDxt/"Reader 1"', '=r*/"Reader 1"' ],
	'bigint' => [ -9223372036854775808, 0, 9223372036854775807 ],
	'bit' => [ 0, 1 ],
	'bit varying' => [ '', '1', '0101' x 100 . '1' ],
	'boolean' => [ 'f', 't' ],
	'box' => [ '(1,2),(-3,4.5)', '(Infinity,0),(-Infinity,NaN)' ],
	'bytea' => [ '', '\x00', '\x00ff5c27220a', '\x' . '00ff' x 3000 ],
	'"char"' => [ '', 'a', '\377' ],
	'character' => [ '', 'x', 'é' ],
	'character varying' => [ '', ' ', 'trailing  ', 'NULL', '{"a,b"}' ],
	'cid' => [ 0, 4294967295 ],
	'cidr' => [ '0.0.0.0/0', '10.1.0.0/16', '::/0', '2001:db8::/32' ],
	'circle' => [ '<(1,2),0>', '<(1e300,-1e-300),1.7976931348623157e308>' ],
	'date' => [ '-infinity', '4714-11-24 BC', '0001-12-31 BC', '2000-01-01', '5874897-12-31', 'infinity' ],
	'datemultirange' => [ '{}', '{(,)}', '{[2018-01-01,2018-02-01),[2019-01-01,infinity]}' ],
	'daterange' => [ @ranges, '[2018-07-28,2018-07-29)', '[-infinity,4713-01-01 BC)' ],
	'double precision' => [ '-Infinity', 'Infinity', 'NaN', '-0', 0.1, '5e-324', '1.7976931348623157e308' ],
	'inet' => [ '0.0.0.0', '192.168.1.17/24', '::1', '2001:db8::17/64' ],
	'int2vector' => [ '', '-32768 0 32767' ],
	'int4multirange' => [ '{}', '{(,)}', '{[1,3),[7,)}' ],
	'int4range' => [ @ranges, '[-2147483648,2147483647)' ],
	'int8multirange' => [ '{}', '{(,)}', '{[1,3),[7,)}' ],
	'int8range' => [ @ranges, '[1,9223372036854775807)' ],
	'integer' => [ -2147483648, 0, 2147483647 ],
	'interval' => [ '0', '-178000000 years', '1 mon -1 day 00:00:00.000001', '178000000 years', '-2147483648 days' ],
	'json' => [ 'null', '""', '{"a": 1,  "a": 2}', '[1e400, "\u00e9\u0000", "é"]' ],
	'jsonb' => [ 'null', '""', '{}', '{"a": {"b": [1.10, null, true, "é"]}}' ],
	'jsonpath' => [ '$', 'strict $."a"[*] ? (@.b > 1.5 && @ like_regex "^x" flag "i")' ],
	'line' => [ '{1,2,3}', '{-1,0,Infinity}' ],
	'lseg' => [ '[(0,0),(1,-1)]' ],
	'macaddr' => [ '00:00:00:00:00:00', '08:00:2b:01:02:ff' ],
	'macaddr8' => [ '00:00:00:00:00:00:00:00', '08:00:2b:01:02:03:04:ff' ],
	'money' => [ '-92233720368547758.08', '0', '1.23', '92233720368547758.07' ],
	'name' => [ '', 'x', 'x' x 63, 'A "b"' ],
	'numeric' => [ '-Infinity', 'Infinity', 'NaN', '0', '0.000', '-0.0', '1e-1000', '1e4000', "-$long_number",
		'100', '1.1000', '0.' . '0' x 16382 . '1' ],
	'nummultirange' => [ '{}', '{(,)}', '{(1.10,3],[7,NaN)}' ],
	'numrange' => [ @ranges, '[1.10,Infinity]', '(,NaN)' ],
	'oid' => [ 0, 4294967295 ],
	'oidvector' => [ '', '0 4294967295' ],
	'path' => [ '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))' ],
	'pg_lsn' => [ '0/0', 'FFFFFFFF/FFFFFFFF' ],
	'pg_snapshot' => [ '10:20:10,14,15', '1:9223372036854775807:' ],
	'point' => [ '(0,-0)', '(NaN,Infinity)' ],
	'polygon' => [ '((0,0),(1,1),(2,0))' ],
	'real' => [ '-Infinity', 'Infinity', 'NaN', '-0', 0.1, '1e-45', '3.4028235e38' ],
	'refcursor' => [ '', '<unnamed portal 1>' ],
	'regclass' => [ '-', 'shop."Items"', 'pg_class' ],
	'regcollation' => [ '-', 'shop.german', '"POSIX"' ],
	'regconfig' => [ '-', 'shop.search', 'english' ],
	'regdictionary' => [ '-', 'shop.words', 'simple' ],
	'regnamespace' => [ '-', 'shop', 'pg_catalog' ],
	'regoper' => [ '0', 'shop.@@@' ],
	'regoperator' => [ '0', 'shop.@@@(none,integer)', '+(integer,integer)' ],
	'regproc' => [ '-', 'shop.twice', 'now' ],
	'regprocedure' => [ '-', 'shop.twice(int)', 'lower(text)' ],
	'regrole' => [ '-', '"Reader 1"' ],
	'regtype' => [ '-', 'shop.mood', 'shop.mood[]', 'timestamp with time zone' ],
	'smallint' => [ -32768, 0, 32767 ],
	'text' => [ '', ' ', 'NULL', '\\', "a\tb", 'é漢🐘', '{"a,b"}' ],
	'tid' => [ '(0,0)', '(4294967295,65535)' ],
	'time with time zone' => [ '00:00:00+15:59:59', '24:00:00-15:59', '12:34:56.789012+00' ],
	'time without time zone' => [ '00:00', '24:00:00', '12:34:56.789012' ],
	'timestamp with time zone' => [ '-infinity', '4714-11-24 00:00:00+00 BC', '2018-07-29 12:34:56.789012+05:30',
		'294276-12-31 23:59:59.999999+00', 'infinity' ],
	'timestamp without time zone' => [ '-infinity', '4714-11-24 BC', '4713-01-01 BC', '2018-07-29 12:34:56.789012',
		'294276-12-31 23:59:59.999999', 'infinity' ],
	'tsmultirange' => [ '{}', '{(,)}', '{[2018-01-01,2018-02-01),[2019-01-01,infinity]}' ],
	'tsquery' => [ '', q('fat' & !('rat':A*B | 'it''s') <3> 'cat') ],
	'tsrange' => [ @ranges, '[2018-07-28 00:00,2018-07-29 00:00:00.000001)' ],
	'tstzmultirange' => [ '{}', '{(,)}', '{[2018-01-01 00:00+00,2018-02-01 00:00+01),[2019-01-01,infinity]}' ],
	'tstzrange' => [ @ranges, '[2018-07-28 00:00-04,294276-01-01 00:00+00)' ],
	'tsvector' => [ '', q('a':1A,16383C 'it''s é':2 'z') ],
	'txid_snapshot' => [ '10:20:10,14,15' ],
	'uuid' => [ '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff' ],
	'xid' => [ 0, 4294967295 ],
	'xid8' => [ 0, '18446744073709551615' ],
	'xml' => [ '', 'only text é', '<a/><b/>', '<?xml version="1.0"?><a b="1">é</a>' ]);

# Types that a column can have but no statement can fill.
my %only_null = map { $_ => [] } qw(gtsvector pg_brin_bloom_summary pg_brin_minmax_multi_summary pg_dependencies
  pg_mcv_list pg_ndistinct pg_node_tree);

# Arrays of row types of catalogs are left out, and cstring[], which no column can have.
my @builtin = split /\n/, $source->safe_psql('postgres', <<~'SQL');
	SELECT format_type(t.oid, NULL) FROM pg_type AS t LEFT JOIN pg_type AS element ON t.typelem = element.oid
	  WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm', 'e', 'd')
	    AND (t.typcategory <> 'A' OR element.typtype NOT IN ('c', 'p')) ORDER BY 1
	SQL
is(join(', ', sort keys %values, keys %only_null), join(', ', sort grep { !/\[\]$/ } @builtin),
	'no built-in type is forgotten');

sub literal { return defined $_[0] ? "'" . $_[0] =~ s/'/''/gr . "'" : 'NULL' }

# The expressions of an array type's values, made from those of its element: several dimensions, other lower bounds.
sub array_values
{
	my ($type, @elements) = @_;
	return ("'{}'") unless @elements;
	my ($first, $last) = @elements[0, -1];
	my $all = join ', ', @elements, 'NULL';
	return ("'{}'", "ARRAY[$all]", "array_fill($first, ARRAY[2, 3], ARRAY[-1, 5])", "ARRAY[[$first, NULL], [NULL, $last]]");
}

my %expressions;
for my $type (sort keys %values, keys %only_null)
{
	my @scalars = map { literal($_) . "::$type" } @{ $values{$type} // [] };
	@scalars = map { $_ =~ s/::bit$/::bit(1)/r } @scalars;
	$expressions{$type} = \@scalars;
	$expressions{"$type\[]"} = [ array_values($type, @scalars) ] if grep { $_ eq "$type\[]" } @builtin;
}
is(join(', ', sort keys %expressions), join(', ', sort @builtin), 'no array of a built-in type is forgotten');

my @columns = sort keys %expressions;
sub column { return '"' . $_[0] =~ s/"/""/gr . '"' }
my $create = 'CREATE TABLE builtin (id int, ' . join(', ', map { column($_) . " $_" } @columns) . ')';
on_both($create, $source, $destination);
for my $row (0 .. 12)
{
	my @values = map { $expressions{$_}[$row] // 'NULL' } @columns;
	$source->safe_psql('postgres', sprintf('INSERT INTO builtin VALUES (%d, %s)', $row, join(', ', @values)));
}

is($destination->safe_psql('postgres', copy_sql('SELECT * FROM builtin', undef, batch => 5)), 13, 'rows copied');
same_rows($source, $destination, 'builtin', 'arrives as it was');

is($destination->safe_psql('postgres', look_sql('verify', 'SELECT * FROM builtin', undef, key_columns => q['{id}'])),
	't|13|13|0|0|0', 'the checksums of both servers are the same');

my $as_text = join ' ', columns_as_text($source);
my @named = map { ("reg$_", "reg$_\[]") } qw(class collation config dictionary namespace oper operator proc procedure role type);
my @without_binary = map { ($_, "$_\[]") } qw(aclitem gtsvector);
# Empty vectors and queries are sent in a binary form that is not received (18.6); that of xml has no declaration.
my @not_received = ((map { ($_, "$_\[]") } qw(int2vector oidvector tsquery xml)), grep { /^pg_/ } keys %only_null);
# The binary forms of intervals before and from 17 differ.
my @not_same = ($source->pg_version >= 17) == ($destination->pg_version >= 17) ? () : ('interval', 'interval[]');
is($as_text, join(' ', sort @named, @without_binary, @not_received, @not_same),
	'types that hold OIDs or whose binary form is not read back travel as text, all others in binary');
my @reg = qw(regclass regcollation regconfig regdictionary regnamespace regoperator regprocedure regrole regtype);
my $oids = 'SELECT ' . join(', ', map { "string_agg($_\::oid::text, ' ' ORDER BY id)" } @reg) . ' FROM builtin';
my @oids = map { [ split /\|/, $_->safe_psql('postgres', $oids) ] } $source, $destination;
isnt($oids[1][$_], $oids[0][$_], "$reg[$_] travels by name: its OID is another one here") for 0 .. $#reg;

no_session_left($source, 'no session is left at the source');
done_testing();
