//! Records: an object in JSON, a line in text. Each field is written once for both.

use super::{Colour, Form, Output};

impl Output {
    /// Begins what is an object in JSON, the value of `key` or an element of
    /// an array, and a line in text.
    pub fn begin_record(&mut self, key: &str) {
        if self.style.json {
            self.begin_object(key);
        }
    }

    /// Ends it.
    pub fn end_record(&mut self) {
        if self.style.json {
            self.end_object();
        } else {
            self.end_line();
        }
    }

    /// What comes before the value of a field.
    pub fn begin_field(&mut self, name: &str) {
        if self.style.json {
            return self.key(name);
        }
        let (before, after) = match self.form {
            Form::Words => (None, b' '),
            Form::Assigned => (Some(b' '), b'='),
        };
        self.buffer().field(before, name.as_bytes(), after);
    }

    /// What comes after it.
    pub fn end_field(&mut self) {
        if self.form == Form::Words && !self.style.json {
            self.byte(b' ');
        }
    }

    /// Before and after a value that is a string in JSON.
    pub fn quote(&mut self) {
        if self.style.json {
            self.byte(b'"');
        }
    }

    /// A number.
    pub fn named_number(&mut self, name: &str, value: u64) {
        self.begin_field(name);
        self.number(value);
        self.end_field();
    }

    /// A number, if there is one.
    pub fn named_some(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.named_number(name, value);
        }
    }

    /// A string.
    pub fn named_string(&mut self, name: &str, value: &[u8]) {
        if self.style.json {
            return self.json_string(name, value);
        }
        self.begin_field(name);
        self.bytes(value);
        self.end_field();
    }

    /// A property that is so: a member that is true, or a word.
    pub fn named(&mut self, name: &str) {
        if self.style.json {
            return self.json_bool(name, true);
        }
        if self.form == Form::Assigned {
            self.byte(b' ');
        }
        self.text(name);
        self.end_field();
    }

    /// The name of an interface, nothing where that is empty.
    pub fn named_interface(&mut self, name: &[u8]) {
        if name.is_empty() {
        } else if self.style.json {
            self.json_string("dev", name);
        } else {
            self.begin_field("dev");
            self.begin_colour(Colour::Interface);
            self.bytes(name);
            // iproute2 has the blank in colour too.
            self.end_field();
            self.end_colour();
        }
    }
}
