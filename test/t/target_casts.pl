# Source and target columns of different types: what an assignment cast can do is done, as by an INSERT.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
on_both(<<~'SQL', $source, $destination);
	CREATE EXTENSION citext;
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE DOMAIN label AS text;
	CREATE DOMAIN short_label AS varchar(3);
	SQL
$source->safe_psql('postgres', 'CREATE TABLE defaults (a int DEFAULT 42)');

my $table = 0;

# SQL that copies the value of an expression into a new column of a type.
sub call_into
{
	my ($type, $expression, %argument) = @_;
	$expression =~ s/([{}])/$1$1/g;
	$table++;
	return "CREATE TABLE target$table (value $type); "
	  . copy_sql("SELECT $expression AS value", undef, target => "'target$table'", %argument) . ';';
}

# SQL that prints the value that arrived last as "[text]".
sub show_value { return "SET timezone = 'UTC'; SELECT '[' || value::text || ']' FROM target$table; RESET timezone;" }

# The value that arrives; the run has these settings.
sub cast_to
{
	my ($type, $expression, $settings, %argument) = @_;
	my $copy = call_into($type, $expression, %argument);
	return $destination->safe_psql('postgres', ($settings // '') . " $copy " . show_value()) =~ s/^1\n?//r;
}

# target type, value at the source, what arrives, what must hold
my @casts = (
	[ 'int8', '2147483647', '2147483647', 'int4 to int8' ],
	[ 'int4', '2147483647::int8', '2147483647', 'int8 to int4' ],
	[ 'int2', '-32768', '-32768', 'int4 to int2' ],
	[ 'int4', '2.5::numeric', '3', 'numeric to int4 is rounded' ],
	[ 'int4', '2.5::float8', '2', 'float8 to int4 is rounded to even' ],
	[ 'float4', '0.1::float8', '0.1', 'float8 to float4' ],
	[ 'numeric', '0.1::float8 + 0.2', '0.3', 'float8 to numeric keeps 15 digits' ],
	[ 'numeric', q('NaN'::float8), 'NaN', 'NaN of float8 to numeric' ],
	[ 'numeric(6,2)', '1234.565', '1234.57', 'numeric is rounded to the scale of the target' ],
	[ 'numeric(2,-3)', '12345', '12000', 'numeric of a negative scale' ],
	[ 'text', q('x '::varchar(5)), 'x ', 'varchar to text' ],
	[ 'text', q('x'::char(5)), 'x', 'char(n) to text loses its padding, as in PostgreSQL' ],
	[ 'char(5)', q('x'), 'x', 'text to char(n)' ],
	[ 'char(8)', q('x'::char(5)), 'x', 'char(n) to a longer char(n)' ],
	[ 'varchar(3)', q('abc   '), 'abc', 'spaces beyond varchar(n) are cut off, as in PostgreSQL' ],
	[ 'varchar(3)', q('été'), 'été', 'the n of varchar(n) counts characters' ],
	[ 'name', q('x'), 'x', 'text to name' ],
	[ 'bit(4)', q(B'0101'), '0101', 'bit(n)' ],
	[ 'varbit(5)', q(B'01'), '01', 'bit to varbit' ],
	[ 'timestamp(0)', q('2018-07-29 12:00:00.6'::timestamp), '2018-07-29 12:00:01', 'timestamp is rounded' ],
	[ 'interval(0)', q('1.6 s'::interval), '00:00:02', 'interval is rounded' ],
	[ 'date', q('2018-07-29 23:59'::timestamp), '2018-07-29', 'timestamp to date' ],
	[ 'timestamp', q('2018-07-29'::date), '2018-07-29 00:00:00', 'date to timestamp' ],
	[ 'time', q('2018-07-29 23:59'::timestamp), '23:59:00', 'timestamp to time' ],
	[ 'jsonb', q('{"a": 1,  "a": 2}'::json), '{"a": 2}', 'json to jsonb' ],
	[ 'text', q('{"a": 1}'::jsonb), '{"a": 1}', 'jsonb to text' ],
	[ 'text', '12::int8', '12', 'int8 to text' ],
	[ 'text', 'true', 'true', 'boolean to text' ],
	[ 'text', 'NULL::int4', '', 'NULL stays NULL' ],
	[ 'cidr', q('10.1.2.3/16'::inet), '10.1.0.0/16', 'inet to cidr loses its host bits, as in PostgreSQL' ],
	[ 'int8[]', q('{1,NULL,3}'::int4[]), '{1,NULL,3}', 'int4[] to int8[]' ],
	[ 'text[]', q('{a,NULL}'::varchar[]), '{a,NULL}', 'varchar[] to text[]' ],
	[ 'text', q('happy'::mood), 'happy', 'enum to text' ],
	[ 'varchar(5)', q('happy'::mood), 'happy', 'enum to varchar(n)' ],
	[ 'text[]', q('{sad,NULL}'::mood[]), '{sad,NULL}', 'array of an enum to text[]' ],
	[ 'mood', q('happy'::mood), 'happy', 'enum to the enum of that name' ],
	[ 'text', q('x'::label), 'x', 'domain over text to text' ],
	[ 'short_label', q('x'), 'x', 'text to a domain over varchar(n)' ],
	[ 'int8', q('5'::information_schema.cardinal_number), '5', 'domain over int4 to int8' ],
	[ 'citext', q('X'::text), 'X', 'text to citext' ],
	[ 'text', q('X'::citext), 'X', 'citext to text' ],
	[ 'varchar(1)', q('X'::citext), 'X', 'citext to varchar(n)' ],
	[ 'text', q('shop'::name), 'shop', 'name to text' ],
	[ 'text', q('pg_class'::regclass), 'pg_class', 'regclass to text is the name' ],
	[ 'text', q('a'::"char"), 'a', '"char" to text' ],
	[ 'text', q('<a/>'::xml), '<a/>', 'xml to text' ],
	[ 'pg_am', q(ROW(1, 'x', NULL, 't')), '(1,x,,t)', 'a row without a type to a composite type' ]);
# In one session, which goes on after an error.
my $script = join '', map { call_into($casts[$_][0], $casts[$_][1]) . "\\echo case $_\n" . show_value() } 0 .. $#casts;
my ($status, $out, $err) = $destination->psql('postgres', $script, on_error_stop => 0);
is($err, '', 'no cast fails');
my %arrived = $out =~ /^case (\d+)\n(.*)$/mg;
is($arrived{$_}, $casts[$_][2] eq '' ? '' : "[$casts[$_][2]]", $casts[$_][3]) for 0 .. $#casts;

my $verify = join '', map {
	my $query = "SELECT $casts[$_][1] AS value" =~ s/([{}])/$1$1/gr;
	look_sql('verify', $query, undef, target => "'target" . ($_ + 1) . "'") . ';';
} 0 .. $#casts;
my @verified = split /\n/, $destination->safe_psql('postgres', $verify);
is(join(', ', map { "$casts[$_][3]: $verified[$_]" } grep { $verified[$_] ne 't|1|1|0|0|' } 0 .. $#casts), '',
	'after every cast the checksums of both servers are the same');

like(cast_to('text', q((SELECT adbin FROM pg_attrdef WHERE adrelid = 'defaults'::regclass))),
	qr/^\[\{CONST :consttype 23 /, 'pg_node_tree to text');
is($destination->safe_psql('postgres', call_into('char(5)', q('x')) . " SELECT octet_length(value) FROM target$table"),
	"1\n5", 'text to char(n) is padded');

# A timestamp without time zone becomes an instant by the zone of the run, as the day does.
my $noon = q('2018-07-29 12:00'::timestamp);
is(cast_to('timestamptz', $noon, q(SET timezone = 'America/New_York';)), '[2018-07-29 16:00:00+00]',
	'timestamp to timestamptz: in the TimeZone of the session');
is(cast_to('timestamptz', $noon, q(SET timezone = 'America/New_York';), time_zone => "'Asia/Tokyo'"),
	'[2018-07-29 03:00:00+00]', 'timestamp to timestamptz: in time_zone, where it is given');
is(cast_to('timestamp', q('2018-07-29 12:00+00'::timestamptz), q(SET timezone = 'America/New_York';)),
	'[2018-07-29 08:00:00]', 'timestamptz to timestamp: in the TimeZone of the session');
is(cast_to('text', q('2018-07-29'::date), q(SET DateStyle = 'German';)), '[29.07.2018]',
	'date to text: in the DateStyle of the session, as by an INSERT');

# What a cast refuses. target type, value, SQLSTATE, message, what must hold
for my $case (
	[ 'int4', '2147483648', '22003', qr/integer out of range/, 'int8 to int4 overflows' ],
	[ 'int2', '32768', '22003', qr/smallint out of range/, 'int4 to int2 overflows' ],
	[ 'float4', '1e300::float8', '22003', qr/out of range/, 'float8 to float4 overflows' ],
	[ 'numeric(4,2)', '100', '22003', qr/numeric field overflow/, 'numeric overflows' ],
	[ 'varchar(3)', q('abcd'), '22001', qr/value too long for type character varying\(3\)/, 'text is too long for varchar(n)' ],
	[ 'short_label', q('abcd'), '22001', qr/value too long for type character varying\(3\)/, 'text is too long for a domain' ],
	[ 'varchar(3)', q('happy'::mood), '22001', qr/value too long for type character varying\(3\)/,
		'an enum is too long for varchar(n)' ],
	[ 'char(3)', q('abcd'), '22001', qr/value too long for type character\(3\)/, 'text is too long for char(n)' ],
	[ 'bit(3)', q(B'01'), '22026', qr/bit string length 2 does not match type bit\(3\)/, 'bit(n) of another length' ],
	[ 'mood', q('angry'::citext), '22P02', qr/invalid input value for enum mood: "angry"/, 'no label of the enum' ])
{
	my ($type, $expression, $sqlstate, $message, $name) = @$case;
	fails_with($destination, call_into($type, $expression), $sqlstate, $message, $name);
}

# Where there is no assignment cast, the run fails before the cursor is opened; division by zero is never reached.
for my $case (
	[ 'bigint', 'now()', 'bigint', 'timestamp with time zone' ],
	[ 'mood', q('happy'::text), 'mood', 'text' ],
	[ 'int4', q('1'::text), 'integer', 'text' ],
	[ 'int4', 'true', 'integer', 'boolean' ],
	[ 'date', q('2018-07-29'::text), 'date', 'text' ],
	[ 'jsonb', q('{}'::text), 'jsonb', 'text' ],
	[ 'xml', q('<a/>'::text), 'xml', 'text' ],
	[ 'uuid', q('00000000-0000-0000-0000-000000000000'::bytea), 'uuid', 'bytea' ],
	[ 'int4[]', '1', 'integer[]', 'integer' ],
	[ 'inet', q('08:00:2b:01:02:03'::macaddr), 'inet', 'macaddr' ])
{
	my ($type, $expression, $into, $from) = @$case;
	fails_with($destination, call_into($type, "CASE WHEN 1 / (random() * 0)::int = 1 THEN $expression END"), '42804',
		qr/column "value" is of type \Q$into\E but expression is of type \Q$from\E/, "no cast of $from to $into");
}

no_session_left($source, 'no session is left at the source');
done_testing();
