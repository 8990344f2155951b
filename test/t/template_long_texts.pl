# Texts of a MB in each argument: they work or end in a short error, at a linear cost, and a cancel ends them.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

# A guard against what hangs: none of these takes a second unless its cost is quadratic, and then it takes minutes.
my ($source, $destination) = start_servers(destination => "statement_timeout = '60s'\n");
my $port = $source->port;
my $password = $TwoServers::password;
on_both('CREATE TABLE t (id int PRIMARY KEY, d date, name text); CREATE TABLE j (x int)', $source, $destination);

my $bytes = 1000000;
# SQL expressions of what is repeated, in SQL and in connection strings.
my %in_sql = (
	'{' => "'{'", '}' => "'}'", '{}' => "'{}'", '{{ ' => "'{{ '", '(' => "'('", q(') => "''''", '"' => q('"'), '$' => "'\$'",
	'$1+' => "'\$1+'", '-- line' => "E'--\\n'", '/*' => "'/*'", '/* ' => "'/* '", '*/' => "'*/'", q(E') => "'E'''", q(U&') => "'U&'''",
	'$tag$' => "'\$tag\$'", '%' => "'%'", '\\' => q('\\'), ';' => "';'", 'newline' => q(E'\n'), 'two bytes' => "'é'",
	'four bytes' => "'😀'", '+' => "'+'", '+-' => "'+-'", '- ' => "'- '", '1+' => "'1+'", 'a' => "'a'", '7' => "'7'",
	'JOIN' => "' JOIN j USING (x)'", 'UNION' => "' UNION SELECT 1'", 'CASE' => "'CASE WHEN '");
my %in_conninfo = map { $_ => $_ eq q(') ? "''''" : "'$_'" } qw({ ' " \\ @ / % %41 & = ? a a=1& [ é :), 'host=a ', ',';
my %in_name = map { $_ => $in_sql{$_} } 'a', 'four bytes', '"', '{', '\\';

# Arguments of a call, in which TEXT is an SQL expression, and the SQLSTATEs in which it may end; 00000 is success.
my $conninfo = "host=127.0.0.1 port=$port user=etl_reader password=$password dbname=postgres";
my $uri = "postgresql://etl_reader:$password\@127.0.0.1:$port/postgres";
my $read = qr/^(00000|22\w{3}|42\w{3}|54\w{3})$/;
my @arguments = (
	[ 'query_template', \%in_sql, $read, query_template => q('SELECT $1::date AS d, 1 AS id ' || TEXT) ],
	[ 'a comment of query_template', \%in_sql, qr/^(00000|42601|54001)$/, query_template => q('SELECT $1::date AS d, 1 AS id -- ' || TEXT || '}') ],
	[ 'an output of query_template', \%in_sql, $read, query_template => q('SELECT $1::date AS d, ' || TEXT || '1 AS id') ],
	[ 'FROM of query_template', \%in_sql, $read, query_template => q('SELECT $1::date AS d, 1 AS id FROM j ' || TEXT) ],
	[ 'replace_where', \%in_sql, $read, mode => q('replace'), replace_where => q('d = $1 ' || TEXT) ],
	[ 'a string of replace_where', \%in_sql, qr/^(42\w{3}|44000|54\w{3})$/, mode => q('replace'), replace_where => q('d = $1 AND name = ''' || TEXT || '''') ],
	[ 'transform', \%in_sql, $read, transform => q('SELECT * FROM batch ' || TEXT) ],
	[ 'an output of transform', \%in_sql, $read, transform => q('SELECT d, id, ' || TEXT || '1 AS name FROM batch') ],
	[ 'conninfo', \%in_conninfo, qr/^(22023|42704|08001)$/, src_conninfo => 'TEXT' ],
	[ 'a host of conninfo', \%in_conninfo, qr/^(22023|08001)$/, src_conninfo => "'$conninfo host=' || TEXT" ],
	[ 'a password of conninfo', \%in_conninfo, qr/^(22023|08001)$/, src_conninfo => "'$conninfo password=' || TEXT" ],
	[ 'URI', \%in_conninfo, qr/^(22023|08001)$/, src_conninfo => q('postgresql://' || TEXT) ],
	[ 'a query of URI', \%in_conninfo, qr/^22023$/, src_conninfo => "'$uri?' || TEXT" ],
	[ '__extra__ of URI', \%in_conninfo, qr/^(22023|54001)$/, src_conninfo => "'$uri?__extra__=' || TEXT" ],
	[ 'key_columns', \%in_name, qr/^42703$/, mode => q('upsert'), key_columns => 'ARRAY[TEXT]' ],
	[ 'time_zone', \%in_name, qr/^22023$/, time_zone => 'TEXT' ],
	[ 'mode', \%in_name, qr/^22023$/, mode => 'TEXT' ]);

# Runs all cases of an argument in one session. What psql prints of each one is behind a line "===".
sub outcomes
{
	my ($pieces, %argument) = @_;
	$argument{src_conninfo} //= "'src'";
	$argument{query_template} //= q('SELECT $1::date AS d, 1 AS id');
	my $call = join ', ', "target => 't'", "day => '2018-07-29'", map { "$_ => $argument{$_}" } sort keys %argument;
	my $script = "\\set VERBOSITY verbose\n";
	my @pieces = sort keys %$pieces;
	for my $piece (@pieces)
	{
		my $text = "repeat($pieces->{$piece}, $bytes / octet_length($pieces->{$piece}))";
		$script .= "\\warn ===\nBEGIN;\nSELECT copy_incremental(" . ($call =~ s/TEXT/$text/r) . ");\nROLLBACK;\n";
	}
	my (undef, $out, $err) = $destination->psql('postgres', $script, on_error_stop => 0);
	my (undef, @printed) = split /^===\n?/m, $err;
	return map { $pieces[$_] => ($printed[$_] // 'lost') =~ s/psql:<stdin>:\d+: //gr } 0 .. $#pieces;
}

for my $argument (@arguments)
{
	my ($name, $pieces, $allowed, @call) = @$argument;
	my %printed = outcomes($pieces, @call);
	my @wrong;
	for my $piece (sort keys %printed)
	{
		my $state = $printed{$piece} =~ /^(?:ERROR|FATAL):  (\w{5}): /m ? $1 : '00000';
		push @wrong, "$piece: $state, " . length($printed{$piece}) . ' bytes: ' . substr($printed{$piece}, 0, 500)
		  if $state !~ $allowed || length($printed{$piece}) > 2048 || $printed{$piece} =~ /\Q$password\E/;
	}
	is(join("\n", @wrong), '', "$name: a MB of each piece works or ends in a short error");
}

# Nothing listens there, so that what is measured is this server's part alone.
sub unreachable
{
	my ($query) = @_;
	return "SELECT copy_incremental('host=127.0.0.1 port=1', $query, '2018-07-29', target => 't')";
}

fails_with($destination, unreachable(q('SELECT $1::date AS d -- ' || repeat('{', 8000000) || '}')), '08001', qr/could not connect/,
	'braces beside a parameter: 8 MB');
fails_with($destination, unreachable(<<~'SQL'), '08001', qr/could not connect/, 'names of WITH times names of FROM: 50,000 times 100,000');
	'WITH ' || (SELECT string_agg('c' || g || ' AS (TABLE j)', ',') FROM generate_series(1, 50000) AS g)
	  || ' SELECT $1::date AS d FROM c50000' || repeat(',c50000', 100000)
	SQL
fails_with($destination, unreachable(q('SELECT $1::date AS d FROM j' || repeat(' JOIN j USING (x)', 400000))), '08001', qr/could not connect/,
	'joins of joins, 400,000 deep');
# The error behind them would be raised if nothing looked at the timeout before.
fails_with($destination, "SET statement_timeout = '100ms'; " . unreachable(q('SELECT $1::date AS d' || repeat(';', 64000000) || 'x')), '57014',
	qr/canceling statement due to statement timeout/, 'a timeout ends the reading of 64 million tokens');
fails_with($destination, unreachable(q('SELECT $1::date AS d -- ') . q( || repeat('/* ', 100))), '08001', qr/could not connect/,
	'nested comments with spaces are read');
fails_with($destination, "SELECT copy_incremental('$conninfo password=' || repeat('a', 10001), 'SELECT 1', NULL, target => 't')", '22023',
	qr/connection option "password" is too long/, 'a password that is too long');
fails_with($destination, copy_sql('SELECT 1 AS id', undef, target => "'t'", mode => "'upsert'", key_columns => q(array_fill('id'::text, ARRAY[100000]))),
	'54011', qr/key_columns has 100000 columns/, 'more key columns than a table can have');

fails_with($destination, copy_sql('SELECT 1 AS id, $1::date AS d', '2018-07-29', target => "'t'", mode => "'replace'",
	replace_where => q('d = $1 name')), '42601', qr/replace_where must be a single condition/, 'a condition with a name');

# A parameter may have leading zeros.
copies($destination, copy_sql('SELECT 2 AS id, $01::date AS d', '2018-07-29', target => "'t'", method => "'copy'"), 1,
	'SELECT d FROM t WHERE id = 2', '2018-07-29', '$01, method copy');

# Texts mean the same whatever standard_conforming_strings is.
my $strings = q(SET standard_conforming_strings = off; SET escape_string_warning = off; );
copies($destination, $strings . copy_sql(q(SELECT 3 AS id, $1::date AS d, '\\' AS name), '2018-07-29', target => "'t'",
	transform => q($t$SELECT id, d, name || '\\' || E'\\'' || U&'\0041' || U&'!0042' UESCAPE '!' AS name FROM batch$t$)),
	1, 'SELECT name FROM t WHERE id = 3', q(\\\\'AB), 'query_template and transform, standard_conforming_strings off');
copies($destination, $strings . copy_sql(q(SELECT 4 AS id, $1::date AS d, '\\' AS name), '2018-07-29', target => "'t'", mode => "'replace'",
	replace_where => q($t$id = 4 AND name = '\\' AND d = $1$t$)), 1, 'SELECT name FROM t WHERE id = 4', q(\\),
	'replace_where, standard_conforming_strings off');

# As many columns as a table can have, with names as long as they can be.
my $columns = join ', ', map { sprintf('c%04d%s', $_, 'x' x 58) . ' int2' } 1 .. 1600;
on_both("CREATE TABLE wide ($columns)", $source, $destination);
my $first = 'c0001' . 'x' x 58;
$source->safe_psql('postgres', "INSERT INTO wide ($first) VALUES (1), (2)");
$destination->safe_psql('postgres', "ALTER TABLE wide ADD PRIMARY KEY ($first)");
for my $mode (qw(append skip upsert replace))
{
	for my $method ('cursor', $mode =~ /append|replace/ ? 'copy' : ())
	{
		copies($destination, 'TRUNCATE wide; ' . copy_sql('SELECT * FROM wide', undef, target => "'wide'",
			$mode eq 'append' ? () : (mode => "'$mode'"), method => "'$method'"), 2,
			'SELECT count(*) FROM wide', 2, "1,600 columns: mode $mode, method $method");
	}
}
my $wide_transform = copy_sql('SELECT * FROM wide', undef, target => "'wide'", transform => q('SELECT * FROM batch'));
copies($destination, "TRUNCATE wide; $wide_transform", 2, 'SELECT count(*) FROM wide', 2, '1,600 columns: transform');
my $wide = sub { look_sql("$_[0]", 'SELECT * FROM wide', undef, target => "'wide'", @_[ 1 .. $#_ ]) };
is($destination->safe_psql('postgres', $wide->('describe', as => 'SELECT count(*) FROM (%s) AS l')), 1600, '1,600 columns: describe');
cmp_ok($destination->safe_psql('postgres', $wide->('explain', as => 'SELECT count(*) FROM (%s) AS l')), '>', 5, '1,600 columns: explain');
my $mismatch = fails_with($destination, copy_sql("SELECT *, 1 AS more FROM (SELECT * FROM wide) AS w", undef, target => "'t'"), '42804',
	qr/does not exist in target/, '1,600 columns: a target without them');
cmp_ok(length($mismatch), '<', 3000, '1,600 columns: a short error');

done_testing();
