# Runs the cases of TargetCases.pm.
package CaseRuns;

use strict;
use warnings;

use Test::More;

use Exporter 'import';
our @EXPORT = qw(create_target call_of modes_of run_steps);

# The statements that create the target of a case, in its own schema.
sub create_target
{
	my ($case) = @_;
	return "DROP SCHEMA IF EXISTS c CASCADE; CREATE SCHEMA c; SET search_path = c, public;
		CREATE TABLE log (n int GENERATED ALWAYS AS IDENTITY, what text); $case->{ddl}";
}

# The arguments of the call, for copy_sql() and look_sql(). In mode replace the slice is the whole target.
sub call_of
{
	my ($case, $method, $mode) = @_;
	my $target = $case->{target} // 'c.t';
	return ($case->{query} =~ s/([{}])/$1$1/gr, undef, target => "'$target'", method => "'$method'", mode => "'$mode'",
		$mode eq 'replace' ? (replace_where => q['true']) : (on_rerun => q['run']));
}

sub modes_of
{
	my ($case) = @_;
	return @{ $case->{modes} // [ 'append', 'replace' ] };
}

# Runs the statements, even after an error. Returns the output of each, or its error as "ERROR SQLSTATE: message" or
# "refused: ...".
sub run_steps
{
	my ($node, @steps) = @_;
	my $script = "SET client_min_messages = error;\n" . join '', map { "\\echo <<step>>\n\\warn <<step>>\n$_;\n" } @steps;
	my (undef, $out, $err) = $node->psql('postgres', $script, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my (undef, @printed) = split /<<step>>\n?/, $out, -1;
	my (undef, @said) = split /<<step>>\n?/, $err, -1;
	is(scalar(@said), scalar(@steps), 'every step was run');
	return map { outcome($printed[$_], $said[$_]) } 0 .. $#steps;
}

sub outcome
{
	my ($printed, $said) = @_;
	return $printed unless $said =~ /(?:ERROR|FATAL):  (\w{5}: .*)/;
	my $error = $1;
	my ($hint) = $said =~ /HINT:  (.*)/;
	return "refused: $error" if $error =~ /^0A000/ && ($hint // '') =~ /method => 'cursor'/;
	return "ERROR $error";
}

1;
