pub fn name<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {}
