# Cases for TargetCases.pm: columns of every type, and values that are cast.
package ColumnCases;

use strict;
use warnings;

use Exporter 'import';
our @EXPORT = qw(column_cases);

# The values of a type, and NULL, each also as an array.
sub of_type
{
	my ($type, @values) = @_;
	my $list = join ', ', map { "\$\$$_\$\$" } @values;
	return { plain => 1, modes => ['append'], ddl => "CREATE TABLE t (id int, v $type, a $type\[])",
		query => "SELECT i::int AS id, v::$type AS v, ARRAY[v::$type, NULL, v::$type] AS a"
		  . " FROM unnest(ARRAY[$list, NULL]::text[]) WITH ORDINALITY AS u (v, i) ORDER BY i" };
}

# A value of the source's type in a column of the target's type.
sub cast
{
	my ($value, $type) = @_;
	return { plain => 1, modes => ['append'], ddl => "CREATE TABLE t (id int, v $type)",
		query => "SELECT i AS id, $value AS v FROM generate_series(1, 4) AS i" };
}

my $long = '9' x 200 . '.' . '7' x 300;
my @ranges = ('empty', '(,)');

# Name => case, see TargetCases.pm.
sub column_cases
{
	return (
		'type bigint' => of_type('bigint', -9223372036854775808, 0, 9223372036854775807),
		'type bit' => of_type('bit(3)', '101', '000'),
		'type bit varying' => of_type('varbit', '', '1', '0101010101'),
		'type boolean' => of_type('boolean', 'f', 't'),
		'type box' => of_type('box', '(1,2),(-3,4.5)'),
		'type bytea' => of_type('bytea', '', '\x00', '\x00ff5c27220a', '\x' . '00ff' x 3000),
		'type char(n)' => of_type('char(4)', '', 'x', 'é漢🐘', '    '),
		'type varchar(n)' => of_type('varchar(4)', '', 'x', 'é漢🐘', 'a   '),
		'type varchar' => of_type('varchar', '', 'é漢🐘', ' '),
		'type text' => of_type('text', '', ' ', 'NULL', '\\', '\\.', '\\N', "a\tb\nc\rd", 'é漢🐘', '{"a,b"}', 'x' x 10000),
		'type "char"' => of_type('"char"', '', 'a'),
		'type name' => of_type('name', '', 'x', 'x' x 63),
		'type cidr' => of_type('cidr', '10.1.0.0/16', '2001:db8::/32'),
		'type inet' => of_type('inet', '192.168.1.17/24', '::1'),
		'type macaddr' => of_type('macaddr', '08:00:2b:01:02:ff'),
		'type circle' => of_type('circle', '<(1,2),0>'),
		'type date' => of_type('date', '-infinity', '4714-11-24 BC', '0001-12-31 BC', '2000-01-01', '5874897-12-31', 'infinity'),
		'type timestamp' => of_type('timestamp', '-infinity', '4714-11-24 00:00:00 BC', '1999-12-31 23:59:59.999999',
			'294276-12-31 23:59:59.999999', 'infinity'),
		'type timestamptz' => of_type('timestamptz', '-infinity', '4714-11-24 00:00:00+00 BC', '2018-07-29 12:00:00.000001+02',
			'294276-12-31 23:59:59.999999+00', 'infinity'),
		'type timestamp(0)' => of_type('timestamp(0)', '2018-07-29 12:00:00', 'infinity'),
		'type time' => of_type('time', '00:00', '24:00:00', '12:34:56.789012'),
		'type timetz' => of_type('timetz', '00:00:00+15:59:59', '24:00:00-15:59'),
		'type interval' => of_type('interval', '0', '-178000000 years', '1 mon -1 day 00:00:00.000001'),
		'type double precision' => of_type('float8', '-Infinity', 'Infinity', 'NaN', '-0', 0.1, '5e-324', '1.7976931348623157e308'),
		'type real' => of_type('real', '-Infinity', 'Infinity', 'NaN', '-0', 0.1, '1e-45', '3.4028235e38'),
		'type smallint' => of_type('smallint', -32768, 0, 32767),
		'type integer' => of_type('int', -2147483648, 0, 2147483647),
		'type oid' => of_type('oid', 0, 4294967295),
		'type numeric' => of_type('numeric', '-Infinity', 'Infinity', 'NaN', '0', '0.000', '-0.0', '1e-1000', '1e4000', "-$long",
			'100', '1.1000', '0.' . '0' x 16382 . '1', '10000', '0.0001', '0.00010000', '12345678.87654321'),
		'type numeric(12,3)' => of_type('numeric(12,3)', 'NaN', '0', '-123456789.125', '0.001', '1e8'),
		'type numeric(5,-2)' => of_type('numeric(5,-2)', '1234500', '-100', '0'),
		'type json' => of_type('json', 'null', '{"a": 1,  "a": 2}', '[1e400, "é"]'),
		'type jsonb' => of_type('jsonb', 'null', '{}', '{"a": {"b": [1.10, null, true, "é"]}}'),
		'type jsonpath' => of_type('jsonpath', '$', 'strict $."a"[*] ? (@.b > 1.5)'),
		'type money' => of_type('money', '-92233720368547758.08', '1.23'),
		'type point' => of_type('point', '(0,-0)', '(NaN,Infinity)'),
		'type path' => of_type('path', '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))'),
		'type polygon' => of_type('polygon', '((0,0),(1,1),(2,0))'),
		'type int4range' => of_type('int4range', @ranges, '[1,3)'),
		'type numrange' => of_type('numrange', @ranges, '[1.10,Infinity]'),
		'type tstzrange' => of_type('tstzrange', @ranges, '[2018-07-28 00:00+00,2018-07-29 00:00+00)'),
		'type daterange' => of_type('daterange', @ranges, '[-infinity,4713-01-01 BC)'),
		'type int8multirange' => of_type('int8multirange', '{}', '{[1,3),[7,)}'),
		'type tsvector' => of_type('tsvector', '', q('a':1A,2B 'é')),
		'type tsquery' => of_type('tsquery', q('a' & !'b' | 'c':*)),
		'type uuid' => of_type('uuid', '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-4fff-bfff-ffffffffffff'),
		'type xml' => of_type('xml', '<a>é</a>', 'text'),
		'type pg_lsn' => of_type('pg_lsn', 'FFFFFFFF/FFFFFFFF'),
		'type pg_snapshot' => of_type('pg_snapshot', '10:20:10,14,15'),
		'type regclass' => of_type('regclass', 'pg_class'),
		'type tid' => of_type('tid', '(4294967295,65535)'),
		'an enum' => of_type('mood', 'sad', 'happy'),
		'a domain' => { %{ of_type('small', 1, 99) }, refuses => { copy => 'an array of a domain is made by a cast of this server' } },
		'a composite' => of_type('pair', '(1,x)', '(,)', '(2,"a,""b")'),

		'int4 to int8' => cast('i', 'bigint'),
		'int8 to int4' => cast('i::bigint', 'int'),
		'int8 to int4, too large' => cast('i * 1000000000::bigint', 'int'),
		'int4 to numeric' => cast('i', 'numeric(5,2)'),
		'int4 to float8' => cast('i', 'float8'),
		'int4 to text' => cast('i', 'text'),
		'int4 to boolean' => cast('i', 'boolean'),
		'int4 to a domain' => cast('i', 'small'),
		'int4 to a domain, refused' => cast('2 - i', 'small'),
		'numeric to int4' => cast('i + 0.5', 'int'),
		'numeric to int4, NaN' => cast(q['NaN'::numeric], 'int'),
		'numeric to numeric(10,2)' => cast('i / 3.0', 'numeric(10,2)'),
		'numeric to numeric(3,2), too large' => cast('i * 4.0', 'numeric(3,2)'),
		'numeric(10,4) to numeric(10,2)' => cast('(i / 3.0)::numeric(10,4)', 'numeric(10,2)'),
		'float8 to numeric(10,2)' => cast('i / 3::float8', 'numeric(10,2)'),
		'float8 to real' => cast('i / 3::float8', 'real'),
		'float8 to real, too large' => cast('1e300::float8', 'real'),
		'text to varchar(5)' => cast(q['é' || i], 'varchar(5)'),
		'text to varchar(5), too long' => cast(q['漢漢漢漢' || i * 3], 'varchar(5)'),
		'text to varchar(5), too long by spaces' => cast(q['v' || i || '       '], 'varchar(5)'),
		'varchar(9) to varchar(5), too long' => cast(q[('漢漢漢漢' || i * 3)::varchar(9)], 'varchar(5)'),
		'text to char(5)' => cast(q['é' || i], 'char(5)'),
		'char(3) to text' => cast('i::char(3)', 'text'),
		'char(3) to varchar(5)' => cast('i::char(3)', 'varchar(5)'),
		'char(3) to char(5)' => cast('i::char(3)', 'char(5)'),
		'text to name' => cast('i::text', 'name'),
		'name to text' => cast('i::name', 'text'),
		'text to int' => cast('i::text', 'int'),
		'text to jsonb' => cast(q['{}'::text], 'jsonb'),
		'json to jsonb' => cast(q['{"b": 1, "a": 2}'::json], 'jsonb'),
		'jsonb to json' => cast(q['{"b": 1, "a": 2}'::jsonb], 'json'),
		'timestamp to timestamptz' => cast(q[timestamp '2018-03-25 02:30' + i * interval '1 hour'], 'timestamptz'),
		'timestamptz to timestamp' => cast(q[timestamptz '2018-03-25 02:30+00' + i * interval '1 hour'], 'timestamp'),
		'timestamp to timestamp(0)' => cast(q[timestamp '2018-03-25 02:30:00.5' + i * interval '1 second'], 'timestamp(0)'),
		'timestamp to date' => cast(q[timestamp '2018-03-25 02:30' + i * interval '1 hour'], 'date'),
		'date to timestamp' => cast(q[date '2018-03-25' + i], 'timestamp'),
		'date to timestamptz' => cast(q[date '2018-03-25' + i], 'timestamptz'),
		'date infinity to timestamp' => cast(q[date 'infinity'], 'timestamp'),
		'date to timestamp, out of range' => cast(q[date '5874897-12-31'], 'timestamp'),
		'time to interval' => cast(q[time '12:00' + i * interval '1 hour'], 'interval'),
		'bit(4) to bit(8)' => cast('i::bit(4)', 'bit(8)'),
		'bit(4) to varbit' => cast('i::bit(4)', 'varbit'),
		'int4[] to int8[]' => cast('ARRAY[i, NULL]', 'bigint[]'),
		'a NULL of unknown type' => { %{ cast('NULL', 'int') }, differs => { insert => 'a query has no column of unknown type' } });
}

1;
